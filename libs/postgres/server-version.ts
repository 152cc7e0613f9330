/** SQL of the server's own version (`18.0`), without what a distribution adds to it. */
export const SERVER_VERSION = "split_part(current_setting('server_version'), ' ', 1)";
