/** The words for what an operator may do. */
export const SCOPE = { read: 'operator.read', write: 'operator.write', admin: 'operator.admin', approvals: 'operator.approvals' } as const;
export type OperatorScope = (typeof SCOPE)[keyof typeof SCOPE];

/** Beside `operator.write`: the holder vouches for those who wrote its messages, up to owners. Administrators hold it. */
export const ADAPTER_SCOPE = 'operator.adapter';
