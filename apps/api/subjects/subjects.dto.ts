import { answer, flag, list, nullable, object, pageOf, text, time, whole } from '../openapi/schema';

const subject = { id: text, erased: flag, erasedAt: nullable(time), events: whole };
const sentAnswer = answer(
  'SentPersonalData',
  'A webhook that went out with personal data',
  object({ deliveryId: text, endpointId: text, eventId: text, type: text, deliveredAt: time }),
);

export const subjectAnswer = answer('Subject', 'How much is stored, and whether it can be read', object(subject));
export const erasureAnswer = answer(
  'Erasure',
  'What was erased, and the first page of what had been sent, as far back as deliveries are kept',
  object({ ...subject, sent: list(sentAnswer.reference), nextCursor: nullable(text) }),
);
export const sentPage = pageOf(sentAnswer);
