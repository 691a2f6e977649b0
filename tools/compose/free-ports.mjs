/** Ports next to each other that were free a moment ago. */
import { createServer } from 'node:net';

const TRIES_MAX = 50;
const FIRST = 20_000;
const COUNT = 20_000;

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

export async function freePorts(count) {
  for (let tried = 0; tried < TRIES_MAX; tried += 1) {
    const first = FIRST + Math.floor(Math.random() * COUNT);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return ports;
  }
  throw new Error(`no ${count} free ports next to each other were found`);
}
