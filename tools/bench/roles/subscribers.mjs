/**
 * Many clients of the gateway's WebSocket in one process. Each follows the sessions and checks the
 * number of every message as it comes: from 1, each once, in order. Reads frames by itself, because
 * a thousand clients in one process must not cost more than the gateway that they listen to.
 */
import { connect } from 'node:net';
import { say, task } from '../sampling.mjs';

const { port, count, follow, messages } = task();
/** Clients that shake hands at a time. */
const AT_A_TIME = 50;
const SEQ = Buffer.from('"messageSeq":');
const HEAD_END = Buffer.from('\r\n\r\n');
const UPGRADE = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
const CONNECT = {
  minProtocol: 4,
  maxProtocol: 4,
  client: { id: 'gateway-client', version: '1', platform: 'linux', mode: 'backend' },
  role: 'operator',
  scopes: ['operator.read'],
};

/** The answer to a ping: an empty pong. */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** A client's text frame; a mask of zeros leaves the payload as it is. */
function frameOf(text) {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(0x81, 0);
  header.writeUInt8(0x80 | 126, 1);
  header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}

let bytes = 0;
let frames = 0;
const faults = [];

/** @returns resolves when it follows; its `done` when it has all messages */
function subscribe(place) {
  let seen = 0;
  let left = Buffer.alloc(0);
  let isUpgraded = false;
  let finish;
  let fail;
  const done = new Promise((resolve, reject) => ([finish, fail] = [resolve, reject]));
  done.catch((error) => faults.push(error.message));
  const following = new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(UPGRADE));
    const give = (why) => {
      const error = new Error(`subscriber ${place}: ${why} after ${seen} messages`);
      reject(error);
      fail(error);
      socket.destroy();
    };
    const request = (id, method, params) => socket.write(frameOf(JSON.stringify({ type: 'req', id, method, params })));
    const onAnswer = (text) => {
      const { id, ok, event, error } = JSON.parse(text);
      if (event === 'connect.challenge') request('c', 'connect', CONNECT);
      else if (ok === false) give(error.message);
      else if (id === 'c') request('s', follow === 'all' ? 'sessions.subscribe' : 'sessions.messages.subscribe', follow === 'all' ? {} : { key: follow });
      else if (id === 's') resolve({ done, socket });
    };
    /** @returns bytes that were taken */
    const takeFrame = (chunk, from) => {
      if (chunk.length - from < 2) return 0;
      const short = chunk[from + 1] & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (chunk.length - from < head) return 0;
      const length = short === 126 ? chunk.readUInt16BE(from + 2) : short === 127 ? Number(chunk.readBigUInt64BE(from + 2)) : short;
      const to = from + head + length;
      if (chunk.length < to) return 0;
      const opcode = chunk[from] & 0x0f;
      frames += 1;
      if (opcode === 9) socket.write(PONG);
      if (opcode === 8) give(`closed with ${chunk.subarray(from + head, to).toString('latin1')}`);
      if (opcode !== 1) return head + length;
      const isMessage = chunk.subarray(from + head, from + head + 45).includes('"event":"session.message"');
      if (isMessage) {
        const at = chunk.indexOf(SEQ, from) + SEQ.length;
        const seq = Number.parseInt(chunk.toString('latin1', at, at + 10), 10);
        if (seq !== seen + 1) give(`message ${seq} came`);
        seen += 1;
        if (seen === messages) finish();
      } else if (seen === 0) {
        onAnswer(chunk.toString('utf8', from + head, to));
      }
      return head + length;
    };
    socket.on('error', (error) => give(error.message)).on('close', () => seen < messages && give('the connection ended'));
    socket.on('data', (data) => {
      bytes += data.length;
      let chunk = left.length === 0 ? data : Buffer.concat([left, data]);
      if (!isUpgraded) {
        const end = chunk.indexOf(HEAD_END);
        if (end === -1) return void (left = chunk);
        isUpgraded = true;
        chunk = chunk.subarray(end + HEAD_END.length);
      }
      let from = 0;
      for (let taken = takeFrame(chunk, from); taken > 0; taken = takeFrame(chunk, from)) from += taken;
      left = from === chunk.length ? Buffer.alloc(0) : Buffer.from(chunk.subarray(from));
    });
  });
  following.catch(() => undefined);
  return following;
}

const all = [];
for (let from = 0; from < count; from += AT_A_TIME) {
  const more = await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count - from) }, (_, at) => subscribe(from + at)));
  all.push(...more);
}
await say({ kind: 'following' });
await Promise.allSettled(all.map(({ done }) => done));
await say({ kind: 'done', faults: faults.slice(0, 5), faulty: faults.length, bytes, frames });
for (const { socket } of all) socket.destroy();
if (process.connected) process.disconnect();
