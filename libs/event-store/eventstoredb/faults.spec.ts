import { unavailable } from './faults';

const REFUSED = '14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1';

it.each([
  [`${REFUSED}. Resolution note: `, REFUSED],
  ['14 UNAVAILABLE: Resolution note: 2 of 3', '14 UNAVAILABLE: Resolution note: 2 of 3'],
  ['', 'no reason given'],
])('tells of a node that does not answer what gRPC said, without a note that it left empty: %j', (message, said) => {
  expect(unavailable(new Error(message)).message).toBe(`EventStoreDB does not answer: ${said}`);
});
