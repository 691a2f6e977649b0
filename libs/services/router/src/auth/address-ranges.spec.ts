import { isInRanges } from './address-ranges';

const RANGES = ['192.0.2.1', ' 10.1.0.0/16 ', 'fd00::/8', '::1'];

it.each(['192.0.2.1', '10.1.255.255', 'fd12::7', '0:0:0:0:0:0:0:1'])('finds %s in them', (address) => {
  expect(isInRanges(address, RANGES)).toBe(true);
});

it.each(['192.0.2.2', '10.2.0.0', 'fe80::1', '::2', '', 'localhost', '10.1.0.0/16'])('does not find %j in them', (address) => {
  expect(isInRanges(address, RANGES)).toBe(false);
});

it('finds nobody in what is no range', () => {
  for (const odd of ['', '/', '*', '0.0.0.0/33', '0.0.0.0/-1', '0.0.0.0/', 'localhost', '::/129', '1.2.3', '10.0.0.0/8/8']) expect(isInRanges('10.0.0.1', [odd])).toBe(false);
});
