/** A reader of events that a door sends over HTTP, as they come: a live view, deliveries. */
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

export const followHistory = (door: Door, key: string): Promise<EventReader> => followEvents(door, `/sessions/${encodeURIComponent(key)}/history?follow=1`);

export async function followEvents({ url, token }: Door, path: string): Promise<EventReader> {
  const leaving = new AbortController();
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` }, signal: leaving.signal });
  if (response.status !== 200) throw new Error(`${path} was refused: ${response.status} ${await response.text()}`);
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
