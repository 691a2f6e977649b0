import { withDecodedContents } from './decoded-contents';

it('decodes what is base64, and leaves the rest to whoever checks it', async () => {
  const odd = [{ content: 'not base64!' }, { content: '' }, { content: 5 }, 'x', null, { name: 'n' }];
  expect(await withDecodedContents([{ name: 'a', content: 'aGk=' }, ...odd])).toEqual([{ name: 'a', content: Buffer.from('hi') }, ...odd]);
  expect(await withDecodedContents('no list')).toBe('no list');
});
