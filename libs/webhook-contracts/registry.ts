import type { Contract } from './contract';
import { cloudevents } from './cloudevents/cloudevents.v1';
import { core } from './core/core.v1';
import { postEz } from './post-ez/post-ez.v1';
import { posternity } from './posternity/posternity.v1';
import { posteverywhere } from './posteverywhere/posteverywhere.v1';
import { postiz } from './postiz/postiz.v1';
import { standard } from './standard/standard.v1';

/** Every contract by its name; an endpoint that names none gets `core`. */
export const contracts: ReadonlyMap<string, Contract> = new Map(
  [core, postiz, posteverywhere, posternity, postEz, standard, cloudevents].map((contract) => [
    contract.name,
    contract,
  ]),
);
