/** A process that erases one session, and that a tracer may kill anywhere: node erase-writer.js <sessions.json> <key> */
import { eraseInStore } from '../../open-store';

async function main([sessionsFile = '', key = '']: readonly string[]): Promise<void> {
  const { left } = await eraseInStore({ agentId: 'main', sessionsFile, instance: 'eraser', transport: 'standalone', clock: { nowMs: () => Date.now() } }, { kind: 'session', key });
  process.exitCode = left.length === 0 ? 0 : 1;
}

void main(process.argv.slice(2));
