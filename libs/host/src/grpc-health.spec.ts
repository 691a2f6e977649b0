import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { createGrpcHealth } from './grpc-health';
import { createHealth } from './health';

it('answers grpc.health.v1 as the process is ready', async () => {
  const health = createHealth();
  const grpc = createGrpcHealth({ health, listen: { host: '127.0.0.1', port: 0 } });
  await grpc.listen();
  const Client = makeGenericClientConstructor(service, 'Health');
  const client = new Client(`127.0.0.1:${grpc.address().port}`, credentials.createInsecure());
  const check = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = client['check'] as (request: object, done: (error: Error | null, answer: { status: string }) => void) => void;
      call.call(client, { service: '' }, (error, answer) => (error === null ? resolve(answer.status) : reject(error)));
    });
  try {
    expect(await check()).toBe('NOT_SERVING');
    health.setPhase('serving');
    expect(await check()).toBe('SERVING');
    health.setPart('bus', 'down', 'disconnected');
    expect(await check()).toBe('NOT_SERVING');
  } finally {
    client.close();
    await grpc.close();
  }
});
