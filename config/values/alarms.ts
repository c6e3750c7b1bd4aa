/** Where alarms go. */
import { isAddress } from "./addresses";
import { urlHost } from "./endpoints";
import { isHostName } from "./names";
import { normalPath } from "./paths";
import type { Problem } from "./problem";

/** An e-mail address in its plain form, as it stands in a header and in a command of SMTP. */
export function mailAddressProblem(text: string): Problem {
  const [, domain = ""] =
    /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~][A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{0,63}@(.+)$/.exec(text) ?? [];
  return isHostName(domain)
    ? undefined
    : 'is not a plain e-mail address; give it alone, without name and brackets, for example "ops@example.com"';
}

/** A URL that the keeper requests. What is wrong with it is said without a part of it: it is a secret. */
export function webUrlProblem(text: string): Problem {
  const url = /^https?:\/\/[!-~]+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !(isAddress(urlHost(text)) || isHostName(url.hostname))) {
    return "is not a URL that begins with https:// or http:// and a host's name or address; give the whole URL in ASCII, without spaces";
  }
  return url.username === "" && url.password === ""
    ? undefined
    : "has a user or password before the host, which is not sent; give a URL that holds its secret in path or query";
}

/** What the keeper's services do not see, or see empty. */
const HIDDEN_FOLDERS = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/** A program that a service of the keeper runs. */
export function commandPathProblem(text: string): Problem {
  if (!text.startsWith("/"))
    return 'is not absolute; begin it with a slash, for example "/usr/local/bin/send-alarm"';
  const normal = normalPath(text);
  if (normal !== text || text === "/")
    return "is not the plain path of a program; write it without //, . and ..";
  const hidden = HIDDEN_FOLDERS.find((folder) => text.startsWith(`${folder}/`));
  return hidden === undefined
    ? undefined
    : `lies in ${hidden}, which the keeper's services do not see; put it elsewhere, for example into /usr/local/bin`;
}
