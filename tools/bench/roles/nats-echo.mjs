/** Answers each request on its subject with so many bytes: the far end of a bare NATS round trip. */
import { say, task } from '../sampling.mjs';
import { connect } from 'nats';

const { url, subject, answerBytes } = task();
const { username, password, host } = new URL(url);
const nc = await connect({ servers: host, user: username, pass: password });
const answer = new Uint8Array(answerBytes);
nc.subscribe(subject, { callback: (_error, msg) => void msg.respond(answer) });
await nc.flush();
await say('listening');
process.on('disconnect', () => process.exit());
