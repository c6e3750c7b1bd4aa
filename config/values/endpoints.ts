import * as net from "node:net";
import type { Problem } from "./problem";
import { isHostName } from "./names";
import { isAddress } from "./addresses";

/** The TCP ports of URLs that name none. */
const DEFAULT_PORTS = { http: 80, https: 443 };

/** The TCP port that a URL with http or https names, or its scheme's. */
export function urlPort(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? DEFAULT_PORTS[protocol === "http:" ? "http" : "https"] : Number(port);
}

/** The DNS name or address in a URL, an IPv6 address without brackets. */
export const urlHost = (url: string): string => new URL(url).hostname.replace(/^\[|\]$/g, "");

/** An S3 endpoint, taken apart. */
export interface Endpoint {
  scheme: "http" | "https";
  /** DNS name or IP address, an IPv6 address without brackets. */
  host: string;
  port: number;
}

/** The parts of an S3 endpoint that is a URL, or `host` or `host:port` for https; undefined if it is neither. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:(https?):\/\/)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, scheme = "https", bracketed = "", portText] = match;
  const host = bracketed.replace(/^\[|\]$/g, "");
  const port =
    portText === undefined ? DEFAULT_PORTS[scheme === "http" ? "http" : "https"] : Number(portText);
  if (port < 1 || port > 65535) return undefined;
  if (bracketed.startsWith("[") ? net.isIP(host) !== 6 : net.isIP(host) !== 4 && !isHostName(host))
    return undefined;
  return { scheme: scheme === "http" ? "http" : "https", host, port };
}

/** An S3 endpoint. */
export function endpointProblem(text: string): Problem {
  return parseEndpoint(text.replace(/\/$/, "")) === undefined
    ? "is not an S3 endpoint; give http:// or https://, host and port without path, query and credentials, or the host alone, " +
        'for example "https://s3.example.com"'
    : text.endsWith("/")
      ? `has a path; write "${text.replace(/\/$/, "")}"`
      : undefined;
}

/**
 * The endpoint without the bucket that stands in front of it, where it is a bucket's own (virtual-host) address: what
 * lies behind the bucket's name is a service's name, of three or more labels or beginning with `s3`.
 */
export function withoutBucket(endpoint: string, bucket: string): string | undefined {
  const host = parseEndpoint(endpoint)?.host.toLowerCase();
  if (host === undefined || isAddress(host) || !host.startsWith(`${bucket}.`)) return undefined;
  const service = host.slice(bucket.length + 1);
  const isService = service.split(".").length >= 3 || /^s3[.-]/.test(service);
  return isService
    ? endpoint.replace(new RegExp(`(^|//)${bucket.replaceAll(".", "\\.")}\\.`, "i"), "$1")
    : undefined;
}
