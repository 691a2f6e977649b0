import type { Socket } from 'node:net';

/**
 * Counts the bytes of a socket as they arrive, so that a frame that is never finished does not fill
 * memory. @returns a function that ends it
 */
export function guardBytes(socket: Socket, bytesMax: number, onTooMany: () => void): () => void {
  const startBytes = socket.bytesRead;
  const look = (): void => {
    if (socket.bytesRead - startBytes <= bytesMax) return;
    lift();
    onTooMany();
  };
  const lift = (): void => void socket.off('data', look);
  socket.on('data', look);
  return lift;
}
