// Who may ask. The server listens on the loopback address, but any page of any site that the reader has open could send requests
// there, and a name of that site could be made to point at it: so the host must be ours by name, and so must the origin.
import type { IncomingMessage } from "node:http";

export interface Refusal {
  readonly status: 400 | 403 | 405 | 421;
  readonly reason: string;
}

/** @returns why a request is refused, or undefined */
export function refusal(request: IncomingMessage, port: number): Refusal | undefined {
  const { method, headers, headersDistinct, url } = request;
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (port === 80) hosts.push("127.0.0.1", "localhost");
  if (method !== "GET" && method !== "HEAD") return { status: 405, reason: "only GET and HEAD" };
  // Two hosts: Node would take the first, something in between perhaps the last.
  if (headersDistinct.host?.length !== 1 || !hosts.includes(headers.host?.toLowerCase() ?? ""))
    return { status: 421, reason: "not a host of this server" };
  if (headers.origin !== undefined && !hosts.some((host) => headers.origin === `http://${host}`)) {
    return { status: 403, reason: "not for pages of other origins" };
  }
  // Requests without an Origin, such as those for images and scripts. A link from elsewhere (a navigation) is fine.
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none" && headers["sec-fetch-mode"] !== "navigate") {
    return { status: 403, reason: "not for pages of other sites" };
  }
  if (url === undefined || !url.startsWith("/") || url.startsWith("//")) return { status: 400, reason: "not a path" };
  return undefined;
}
