/** A reader of a live view over HTTP: its events as they come. */
import type { Door } from '../support/door';
import { waitUntil } from '../support/wait-until';

export interface ServerEvent {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

export interface EventReader {
  /** Resolves with the events of this name once there are as many. */
  until(event: string, count: number): Promise<readonly ServerEvent[]>;
  /** Those of this name so far. */
  of(event: string): readonly ServerEvent[];
  leave(): void;
}

export async function followHistory({ url, token }: Door, key: string): Promise<EventReader> {
  const leaving = new AbortController();
  const response = await fetch(`${url}/sessions/${encodeURIComponent(key)}/history?follow=1`, { headers: { authorization: `Bearer ${token}` }, signal: leaving.signal });
  if (response.status !== 200) throw new Error(`the live view was refused: ${response.status} ${await response.text()}`);
  let text = '';
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true });
  })().catch(() => undefined);
  const of = (event: string): readonly ServerEvent[] => text.split('\n\n').slice(0, -1).flatMap(parseEvent).filter((one) => one.event === event);
  return {
    of,
    until: (event, count) => waitUntil(`${count} ${event} events`, () => (of(event).length >= count ? of(event) : undefined)),
    leave: () => leaving.abort(),
  };
}

function parseEvent(block: string): ServerEvent[] {
  const field = (name: string): string | undefined => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const event = field('event');
  return event === undefined ? [] : [{ event, data: JSON.parse(field('data') ?? '{}') as Record<string, unknown> }];
}
