/** What Node says of a certificate that it cannot trace to an authority it trusts, whose time is not now, or that is for another host. */
const UNTRUSTED =
  /self.signed certificate|unable to (?:get|verify)[^.;)]*|certificate (?:has expired|is not yet valid)|ERR_TLS_CERT_ALTNAME\w*|(?:Hostname\/IP does not match certificate's )?altnames/i;

/** Why the certificate of a server is not trusted, out of an error's message; undefined where it is about something else. */
export const untrusted = (message: string): string | undefined => UNTRUSTED.exec(message)?.[0];
