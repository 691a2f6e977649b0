/** A bare NATS round trip between this process and one that only answers: the reference of the split rows. */
import { startRole } from './sampling.mjs';
import { connect } from 'nats';

const SUBJECT = 'bare.echo';

/** @returns `call`, which resolves with the answer, and `stop` */
export async function startRoundTrip(nats, { requestBytes, answerBytes }) {
  const { username, password, host } = new URL(nats.url);
  const echo = startRole('nats-echo', { url: nats.url, subject: SUBJECT, answerBytes });
  await echo.next();
  const nc = await connect({ servers: host, user: username, pass: password });
  const request = new Uint8Array(requestBytes);
  return {
    call: () => nc.request(SUBJECT, request, { timeout: 10_000 }),
    async stop() {
      await nc.close();
      echo.child.disconnect();
      await echo.ended;
    },
  };
}
