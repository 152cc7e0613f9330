import type { Static } from '@sinclair/typebox';
import type { CoreTypeDefinition } from './core-type';
import { accounts } from './types/accounts';
import { campaigns } from './types/campaigns';
import { operations } from './types/operations';
import { posts, publishing } from './types/posts';
import { studio } from './types/studio';
import { webhooks, webhooksInternal } from './types/webhooks';
import { workspaces } from './types/workspaces';

/** Every type that may become a webhook (CONTRACTS §3), in the order of the catalogue. */
export const coreTypes = {
  ...posts,
  ...campaigns,
  ...accounts,
  ...workspaces,
  ...operations,
  ...studio,
  ...webhooks,
};

/** Types that travel on the bus and are never a webhook. */
export const internalTypes = { ...publishing, ...webhooksInternal };

const messageTypes = { ...coreTypes, ...internalTypes };

export type CoreType = keyof typeof coreTypes;
export type MessageType = keyof typeof messageTypes;

/** The data of one type, as the JSON Schema of its definition says. */
export type MessageData<T extends MessageType> = Static<(typeof messageTypes)[T]['data']>;

/** The definition of a type; undefined when there is no such type. */
export const messageType = (type: string): CoreTypeDefinition | undefined =>
  Object.hasOwn(messageTypes, type) ? (messageTypes[type as MessageType] as CoreTypeDefinition) : undefined;

/** Whether a type is part of the public language: those of internal messages are not. */
export const isCoreType = (type: string): type is CoreType => Object.hasOwn(coreTypes, type);
