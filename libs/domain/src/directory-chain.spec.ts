import { directoryChain } from './directory-chain';

it('names every directory on the way, the outermost first', () => {
  expect(directoryChain('/home/ann//.openclaw/')).toEqual(['/home', '/home/ann', '/home/ann/.openclaw']);
  expect(directoryChain('/')).toEqual([]);
});
