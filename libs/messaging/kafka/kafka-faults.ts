/** Whether brokers gave one of these answers, by their names in the protocol, however kafkajs has wrapped it. */
function isAnswer(error: unknown, types: readonly string[]): boolean {
  type Link = { readonly type?: string; readonly cause?: unknown } | undefined;
  for (let link = error as Link; link; link = link.cause as Link) if (types.includes(link.type ?? '')) return true;
  return false;
}

/** A topic is not there, or not yet. */
export const isMissingTopic = (error: unknown): boolean => isAnswer(error, ['UNKNOWN_TOPIC_OR_PARTITION']);

/** The messages of a send are more than a partition takes at once. */
export const isTooLarge = (error: unknown): boolean => isAnswer(error, ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
