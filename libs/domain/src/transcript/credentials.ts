/** Texts that look like credentials, masked wherever a conversation is shown outside of itself. */

const MASK = '[redacted]';

/** Forms of keys and tokens that providers give out; every repetition is bounded by what may stand in one. JSON web tokens, tokens of Telegram bots and passwords in URLs are such too. */
const CREDENTIALS = /\bsk-[\w-]{8,}|\bgh[pousr]_\w{20,}|\bxox[abprs]-[\w-]{10,}|\bAKIA[0-9A-Z]{16}\b|\beyJ[\w-]{8,2048}\.eyJ[\w-]{8,8192}\.[\w-]{8,2048}|(?<!\d)\d{8,12}:AA[\w-]{32,40}|(?<=:\/\/[^\s/:@]{1,64}:)[^\s/@]{1,256}(?=@)|\bBearer\s+[\w.~+/-]{8,}=*|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----/gu;

export function maskCredentials(text: string): string {
  return text.replace(CREDENTIALS, MASK);
}
