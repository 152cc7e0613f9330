export { WebhookVerificationError, type WebhookVerificationCode } from './errors';
export type { VerifyInput, WebhookHeaders } from './request';
export {
  createStandardSigner,
  signStandard,
  verifyStandard,
  type Signer,
  type StandardSignInput,
  type VerifiedStandard,
} from './standard';
export { createPostEzSigner, signPostEz, verifyPostEz, type PostEzSignInput, type VerifiedPostEz } from './post-ez';
export { generateSecret, type SecretKind } from './secret';
