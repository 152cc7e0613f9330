import { SecretBox, SecretBoxError } from './secret-box';

const key = (byte: number) => Buffer.alloc(32, byte).toString('base64');

describe('a secret box', () => {
  it('gives back what was put in, and never the same box twice', () => {
    const box = new SecretBox(key(1));
    const closed = box.encrypt('whsec_ä😀');
    expect(box.decrypt(closed)).toBe('whsec_ä😀');
    expect(closed).not.toContain('whsec');
    expect(box.encrypt('whsec_ä😀')).not.toBe(closed);
  });

  it('opens boxes of a former key and closes with the present one', () => {
    const old = new SecretBox(key(1)).encrypt('x');
    const rotated = new SecretBox(key(2), [key(1)]);
    expect(rotated.decrypt(old)).toBe('x');
    expect(() => new SecretBox(key(2)).decrypt(old)).toThrow('another key');
    expect(() => new SecretBox(key(1)).decrypt(rotated.encrypt('x'))).toThrow('another key');
  });

  it('notices a changed box', () => {
    const box = new SecretBox(key(1));
    const closed = box.encrypt('secret');
    const changed = closed.slice(0, -2) + (closed.endsWith('AA') ? 'BB' : 'AA');
    expect(() => box.decrypt(changed)).toThrow('The box was changed');
  });

  it('notices a box that was cut, wherever', () => {
    const box = new SecretBox(key(1));
    const closed = box.encrypt('secret');
    for (let length = 0; length < closed.length; length++)
      expect(() => box.decrypt(closed.slice(0, length))).toThrow(SecretBoxError);
  });
});
