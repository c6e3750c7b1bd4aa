import * as net from "node:net";
import type { Problem } from "./problem";

/** The name that an S3 service gives a region. */
export function regionProblem(text: string): Problem {
  return /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(text)
    ? undefined
    : 'is not a region; use letters, digits and hyphens as the S3 service writes it, for example "eu-central-1"';
}

/** The name of a bucket, by the rules of S3. */
export function bucketProblem(text: string): Problem {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) || /\.\.|\.-|-\./.test(text)) {
    return (
      "is not a bucket name; use 3 to 63 lower-case letters, digits, inner hyphens and single dots, " +
      'for example "example-backups"'
    );
  }
  if (net.isIPv4(text)) return 'looks like an IP address; choose a name, for example "example-backups"';
  return /^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(text)
    ? 'has a prefix or suffix that S3 keeps for itself; choose another name, for example "example-backups"'
    : undefined;
}

/** ID of an OpenStack project. */
export function projectIdProblem(text: string): Problem {
  return /^[0-9a-f]{32}$/.test(text)
    ? undefined
    : "is not a project ID of 32 hexadecimal digits; see `openstack project show NAME -f value -c id`";
}

/** An S3 access key ID, which has to fit into the header that signs a request. */
export function accessKeyIdProblem(text: string): Problem {
  return /^[\x21-\x7e]+$/.test(text) && !/[,/=]/.test(text)
    ? undefined
    : "is not an access key ID; give it alone, printable ASCII without space, comma, slash and equals sign";
}

/** An S3 secret access key. */
export function secretAccessKeyProblem(text: string): Problem {
  return text.trim() === text ? undefined : "begins or ends with a space; give the key alone";
}

/** An identity as a bucket policy names it. */
export function principalProblem(text: string): Problem {
  return /^arn:aws[a-z-]*:iam::[A-Za-z0-9_-]*:(?:root|(?:user|role)\/[A-Za-z0-9_.@$:/+=,-]+)$/.test(text)
    ? undefined
    : 'is not a principal; write its ARN, for example "arn:aws:iam::PROJECT_ID:root"';
}

/** The OpenStack project that a principal stands for, where it is one. */
export function principalProject(arn: string): string | undefined {
  return /^arn:aws[a-z-]*:iam::([0-9a-f]{32}):(?:root|user\/\1)$/.exec(arn)?.[1];
}
