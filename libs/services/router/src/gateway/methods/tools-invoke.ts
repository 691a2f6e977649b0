import { SessionError } from '@sessions/domain';
import { callTool } from '../../tools/tool-door';
import { flagOf, textOf } from '../method';
import type { GatewayMethod } from '../method';
import { toRequestContext } from '../request-context';

/** `tools.invoke`: a session tool for a client that acts for a session; without one for the main session. */
export const toolsInvoke: GatewayMethod = async (deps, call) => {
  const { params } = call;
  // `name` is the protocol's word, `tool` that of the HTTP door.
  const tool = textOf(params, 'name') ?? textOf(params, 'tool');
  if (tool === undefined) throw new SessionError('VALIDATION', "invalid tools.invoke params: must have required property 'name'");
  if (flagOf(params, 'dryRun')) throw new SessionError('VALIDATION', 'tools.invoke has no dry run here');
  const agentId = textOf(params, 'agentId');
  const sessionKey = textOf(params, 'sessionKey') ?? (agentId === undefined ? undefined : `agent:${agentId}:main`);
  const outcome = await callTool(deps, { tool, args: params.args, action: textOf(params, 'action'), sessionKey }, toRequestContext(call));
  switch (outcome.kind) {
    case 'result':
      return { payload: { ok: true, toolName: tool, output: outcome.result, result: outcome.result, source: 'core' } };
    case 'unavailable':
      throw new SessionError('VALIDATION', `Tool not available: ${tool.slice(0, 100)}`);
    case 'invalid':
      throw new SessionError('VALIDATION', outcome.message);
    case 'failed':
      throw new SessionError('INTERNAL', 'tool execution failed');
  }
};
