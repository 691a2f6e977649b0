/** Texts that look like credentials, masked wherever a conversation is shown outside of itself. */

const MASK = '[redacted]';

/** Forms of keys and tokens that providers give out; every repetition is bounded by what may stand in one. */
const CREDENTIALS = /\bsk-[\w-]{8,}|\bgh[pousr]_\w{20,}|\bxox[abprs]-[\w-]{10,}|\bAKIA[0-9A-Z]{16}\b|\bBearer\s+[\w.~+/-]{8,}=*|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----/gu;

export function maskCredentials(text: string): string {
  return text.replace(CREDENTIALS, MASK);
}
