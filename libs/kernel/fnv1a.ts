/** FNV-1a of a text's UTF-16 units, 32 bits: the same for ever, and no match for anybody who looks for two of the same. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
