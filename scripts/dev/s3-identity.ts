import type { S3 } from "@aws-sdk/client-s3";
import { connect, type S3Credentials } from "../../s3/client";
import { cloudFacts } from "./local-stack";

const KEYSTONE = "http://172.24.4.1:5000/v3";

/** An S3 identity of the local cloud: EC2 credentials of its user demo in one project. */
export interface Identity extends S3Credentials {
  s3: S3;
  /** A Keystone token in the same project. */
  token: string;
  /** Revokes the credentials. */
  forget: () => Promise<void>;
}

/** Credentials in a project, created as the stack creates them. Works inside the cloud's network only. */
export async function s3Identity(project: string): Promise<Identity> {
  const user = { name: "demo", password: "demo", domain: { name: "Default" } };
  const login = await fetch(`${KEYSTONE}/auth/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      auth: { identity: { methods: ["password"], password: { user } }, scope: { project: { id: project } } },
    }),
  });
  const token = login.headers.get("x-subject-token") ?? "";
  const { token: session } = (await login.json()) as { token: { user: { id: string } } };
  const url = `${KEYSTONE}/users/${session.user.id}/credentials/OS-EC2`;
  const headers = { "content-type": "application/json", "x-auth-token": token };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ tenant_id: project }) });
  const { credential } = (await answer.json()) as { credential: { access: string; secret: string } };
  const keys = { accessKeyId: credential.access, secretAccessKey: credential.secret };
  const s3 = await connect({ endpoint: cloudFacts().s3Endpoint, region: "eu-central-1", bucket: "" }, keys);
  return {
    ...keys,
    s3,
    token,
    forget: async () => {
      s3.destroy();
      await fetch(`${url}/${credential.access}`, { method: "DELETE", headers });
    },
  };
}
