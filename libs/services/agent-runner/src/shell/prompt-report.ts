/**
 * What the model was told beside the conversation, in sizes: kept in the entry by the end of a turn, for
 * people who ask what fills the window. Lengths and names only, no text of it. Pure.
 */
import { FieldChange } from '@sessions/contracts';
import { isJsonObject, type JsonObject } from '@sessions/domain';
import { promptParts, systemPrompt, type PromptFacts } from './system-prompt';

/** Tools that are named one by one; all count. */
const TOOLS_MAX = 64;

/** @param toolsJson as they are offered, one JSON object each. @param nowMs when the turn ended. */
export function promptReport(facts: PromptFacts, toolsJson: readonly Uint8Array[], nowMs: number): FieldChange {
  const parts = Object.entries(promptParts(facts)).flatMap(([name, text]) => (text === '' ? [] : [[name, text.length] as const]));
  const tools = toolsJson.map(toolSizes);
  const report: JsonObject = {
    source: 'run',
    generatedAt: nowMs,
    systemPrompt: { chars: systemPrompt(facts).length, parts: Object.fromEntries(parts) },
    injectedWorkspaceFiles: [],
    skills: { entries: [] },
    tools: { chars: toolsJson.reduce((sum, { length }) => sum + length, 0), entries: tools.slice(0, TOOLS_MAX) },
  };
  return FieldChange.create({ name: 'systemPromptReport', valueJson: Buffer.from(JSON.stringify(report)) });
}

function toolSizes(json: Uint8Array): JsonObject {
  const tool: unknown = JSON.parse(Buffer.from(json).toString('utf8'));
  const { name, description } = (isJsonObject(tool) ? tool : {}) as { readonly name?: unknown; readonly description?: unknown };
  const summaryChars = typeof description === 'string' ? description.length : 0;
  return { name: typeof name === 'string' ? name : '', summaryChars, schemaChars: Math.max(0, json.length - summaryChars) };
}
