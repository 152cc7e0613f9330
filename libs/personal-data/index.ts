export { holdsSealed, partsOf, subjectIn, type KeyName } from './sealed-text';
export { SubjectKey, newKey } from './subject-key';
export { SubjectKeys, type Opened, type SubjectKeysParts, type Wrapping } from './subject-keys';
export { destroying, PostgresKeyTable, type KeyTable, type StoredKey } from './key-table';
export { MemoryKeyTable } from './memory-key-table';
export { resealed, sealedIn } from './sealed-values';
export { openThing } from './open-thing';
