/** The words for what an operator may do. */
export const SCOPE = { read: 'operator.read', write: 'operator.write', admin: 'operator.admin' } as const;
export type OperatorScope = (typeof SCOPE)[keyof typeof SCOPE];
