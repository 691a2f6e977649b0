/** What the process that is killed and the spec that kills it both name. */
export const KEY = 'agent:main:dashboard:killed';
export const SESSION_ID = '0190bbbb-0000-7000-8000-000000000001';
/** Any of the tools that a run is offered. */
export const TOOL = 'sessions_list';
