/**
 * What a stack can be told in `Pulumi.STACK.yaml`, as it looks after validation with every default filled in.
 * Each field is the key `secure-backups:FIELD` of that file. Fields marked "secret" must be encrypted there
 * (`pulumi config set --secret --path …`); they are never shown in an error.
 *
 * Every text refuses control characters (line breaks and NUL among them), for it ends up in a file of a host.
 */
export interface StackConfig {
  /**
   * Whether the hosts and the root key of the repository passwords are protected: no update and no destroy
   * removes them before `pulumi state unprotect`. Default: true.
   */
  protect: boolean;
  /** The network in which the proxy and the clients of kind `vm` stand. Required. */
  network: NetworkConfig;
  /** How the machine that runs Pulumi reaches the hosts. Required. */
  access: AccessConfig;
  /** Where the hosts of the stack may connect to. Everything else is closed. Default: the default of each field. */
  egress: EgressConfig;
  /** The proxy, the only host that holds S3 credentials. Required. */
  proxy: ProxyConfig;
  /**
   * The restic program for clients of the kinds `vm` and `existing`: a raw binary, or an official `.bz2` release
   * file. Default: the package of the host's distribution.
   */
  restic?: Artifact;
  /** The S3 service, the bucket and the identities that use it. Required. */
  s3: S3Config;
  /**
   * The machines that back up: those that the field `clients` lists, then those of the files `NAME.yaml` in the folder that
   * the field `clientsFolder` names (relative to Pulumi.yaml's), each with a client's fields but `name`. Names must differ
   * from each other and the proxy's. Without `clientsFolder` the list is required; it may be empty.
   *
   * Pulumi takes 128 KiB of configuration at most, so a long list belongs into files. They hold no secrets: those are
   * encrypted fields, `clientSecrets.CLIENT.repositories.REPOSITORY.password` and `clientSecrets.CLIENT.ssh.privateKey`.
   */
  clients: ClientConfig[];
}

/** Exactly one of the two forms. */
export type NetworkConfig =
  { create: CreatedNetwork; existing?: undefined } | { existing: ExistingNetwork; create?: undefined };

/** A network, subnet and router made by the stack. */
export interface CreatedNetwork {
  /** Addresses of the new subnet: an IPv4 network of /29 or larger, such as `10.20.0.0/24`. Required. */
  cidr: string;
  /**
   * Addresses of an IPv6 subnet beside it, a /64: hosts find their addresses by SLAAC. Nothing translates them: the provider
   * has to route this network to the stack's router.
   * @default none
   * @example `2001:db8:0:20::/64`
   */
  cidr6?: string;
  /** Name or ID of the external network to which the new router leads. Required. */
  externalNetwork: string;
  /**
   * Addresses of the name servers that hosts are given; IPv6 ones with `cidr6` alone. Default: none, so the network's own
   * DHCP server answers.
   */
  dnsServers: string[];
}

/** A network that somebody else looks after. */
export interface ExistingNetwork {
  /** Name or ID. Required. */
  network: string;
  /** Name or ID of one of the network's subnets. Required. */
  subnet: string;
}

/** How the machine that runs Pulumi reaches the hosts. */
export interface AccessConfig {
  /**
   * `floating-ip`: every host of the stack gets a public address and is reached there; `jump-host`: through the SSH
   * server `jumpHost`; `direct`: at the host's address in the network (VPN, or Pulumi runs inside). Required.
   */
  via: "floating-ip" | "jump-host" | "direct";
  /** Networks (CIDR) from which SSH to the hosts is allowed for the operator, at least one. Required. */
  adminCidrs: string[];
  /**
   * The user of the images that may become root with sudo, where a host names none of its own.
   * @default `debian`
   */
  user: string;
  /**
   * Name of the external network that floating IPs are taken from; only where some host gets a floating IP.
   * Default there: `network.create.externalNetwork`; required with `network.existing`.
   */
  floatingIpPool?: string;
  /** The SSH server in between. Required with `via: jump-host`, and only there. */
  jumpHost?: SshTarget;
  /** Secret. The operator's private SSH key (PEM or OpenSSH, no passphrase). Default: the stack makes one. */
  privateKey?: string;
}

/** Where the hosts may connect to; each field a list of networks in CIDR notation, an empty list closes. */
export interface EgressConfig {
  /**
   * Name servers (port 53, UDP and TCP). Default with `network.create`: its `dnsServers`, or without any its `cidr`
   * (the DHCP server there answers). Required with `network.existing`.
   */
  dns: string[];
  /**
   * Time servers (port 123, UDP). Without one a clock drifts until S3 refuses every request.
   * @default `0.0.0.0/0` and `::/0`, for the time service of the images asks servers of a public pool
   */
  ntp: string[];
  /**
   * Package mirrors, and the servers that `url` of rclone and restic names (ports 80, 443 and those of the URLs,
   * TCP). Default: none.
   */
  mirrors: string[];
  /**
   * The S3 service (the endpoint's port, TCP), from the proxy only.
   * @default the endpoint where it is an address, else `0.0.0.0/0` and `::/0`
   */
  s3: string[];
}

/**
 * A thing of the cloud's: its name or UUID as text, or `{ id: ID }` where the cloud's IDs are no UUIDs.
 * @example `Debian 12`, `{ id: "42" }`
 */
export type NameOrId = string | { id: string };

/** The disk of a host: a volume made from its image, in place of the disk that its flavor brings. */
export interface VolumeConfig {
  /** In GiB, a whole number from 1 to 65536. Required. */
  size: number;
  /**
   * Name of the volume type.
   * @default the cloud's
   */
  type?: string;
  /**
   * Whether the volume outlives its host: nothing then removes it but a person.
   * @default false
   */
  keep: boolean;
}

/** What a host of the stack is made with. A change rebuilds no host: it is for hosts that are made from then on. */
export interface MachineConfig {
  /** Name or ID of the image: Debian 12 or newer with cloud-init. Required. */
  image: NameOrId;
  /** Name or ID of the flavor: 1 vCPU and 512 MB are enough for a proxy of a few clients. Required. */
  flavor: NameOrId;
  /**
   * The boot volume; required with a flavor that has no disk.
   * @default the flavor's disk, which is deleted with the host
   */
  volume?: VolumeConfig;
  /**
   * Name of the availability zone.
   * @default the cloud's choice
   */
  availabilityZone?: string;
  /**
   * The user of the image that may become root with sudo.
   * @default `access.user`
   */
  user: string;
}

/** The host that turns each client's SSH connection into append-only access to that client's repositories. */
export interface ProxyConfig extends MachineConfig {
  /** Host name: a lower-case DNS label. Default: `rclonesrv`. */
  name: string;
  /**
   * DNS name or address at which clients of the kinds `existing` and `key-only` reach the proxy.
   * Default: its floating IP; required where it has none and there are such clients.
   */
  hostName?: string;
  /** Whether the proxy gets a floating IP. Default: true with `access.via: floating-ip`, else false. */
  floatingIp: boolean;
  /** The rclone program, version 1.75.1 or newer: a raw binary, or an official `.zip` release file. Required. */
  rclone: Artifact;
}

/** A program that a host downloads, checks and installs. */
export interface Artifact {
  /** Its version, three numbers without a `v`, such as `1.76.0`. Required. */
  version: string;
  /** Where the host gets the file (http or https, no credentials). Required. */
  url: string;
  /** SHA-256 of the file at `url`, before unpacking: 64 lower-case hexadecimal digits. Required. */
  sha256: string;
}

/** A host that is reached by SSH and was not made by this stack. */
export interface SshTarget {
  /** DNS name or IP address. Required. */
  address: string;
  /** TCP port of its SSH server, 1 to 65535. Default: 22. */
  port: number;
  /** The user to log in as: root, or one who may become root with sudo without a password. Required. */
  user: string;
  /**
   * Its public host key, `TYPE BASE64` as in `/etc/ssh/ssh_host_ed25519_key.pub`, or a line of `ssh-keyscan`, of which
   * the key is taken: ed25519 or ECDSA; RSA works with servers before OpenSSH 8.8 alone, and a preview warns. Required.
   */
  hostKey: string;
  /** Secret. Private SSH key for it. Default: `access.privateKey`, or without that the key that the stack makes. */
  privateKey?: string;
}

/** The S3 service and what the stack does there. */
export interface S3Config {
  /**
   * The service: a URL without a path (`http://172.24.4.1:7480`), or `host` or `host:port` for https; not the address of
   * the bucket (`https://BUCKET.s3.example.com`), for buckets are found by their path. Required.
   */
  endpoint: string;
  /** The region's name as the service knows it, such as `eu-central-1`. Required. */
  region: string;
  /** The bucket that holds all repositories: made if it does not exist, never deleted with data in it. Required. */
  bucket: string;
  /** Whether the bucket keeps old versions of objects (where the service can). Default: true. */
  versioning: boolean;
  /**
   * For how many days an object that was overwritten or removed can still be brought back; then its old versions are
   * removed. A whole number from 1 to 3650. Default: 30. Not with `versioning: false`.
   */
  noncurrentVersionDays: number;
  /** Keeps each version from being deleted, by anybody, for a time. Needs `versioning`. Default: none. */
  objectLock?: ObjectLockConfig;
  /**
   * Whether the stack may be destroyed with its root key though the bucket holds backups, which then nobody can read
   * without a copy of the key. It deletes nothing by itself. Default: false.
   *
   * @default false
   */
  givenUp: boolean;
  /** Who does what in the bucket. Required. */
  identities: {
    /** Owns the bucket and sets its policy; its credentials are on no host. Required. */
    owner: S3Identity;
    /** Used by the proxy. Must differ from the owner. Default: the owner (a taken proxy can then undo the policy). */
    writer?: S3Identity;
    /** Used by retention. Must differ from both. Default: none, and retention is run as the owner. */
    keeper?: S3Identity;
  };
}

/**
 * The retention that every new version gets. Only a bucket that was made with object lock can have one. It holds where
 * the policy was lifted, but not against an expiry set through Ceph RGW's Swift API. Its price, as measured on Ceph
 * RGW 16: whoever takes the proxy may lock what he adds for as long as he likes, and the owner cannot undo that.
 */
export interface ObjectLockConfig {
  /**
   * `GOVERNANCE`: the owner may delete a version before its time, on purpose. `COMPLIANCE`: nobody may, and nobody can
   * shorten it: whatever is written stays and is paid for until then. Required.
   */
  mode: "GOVERNANCE" | "COMPLIANCE";
  /** For how many days after it was written, a whole number from 1 to 3650. Required. */
  days: number;
}

/** An S3 identity: an OpenStack project in which the stack makes EC2 credentials, or credentials made elsewhere. */
export type S3Identity = ProjectIdentity | KeyIdentity;

/** The stack makes EC2 credentials in this OpenStack project. */
export interface ProjectIdentity {
  /** ID of the project: 32 lower-case hexadecimal digits. Required. */
  projectId: string;
}

/** An access key of the S3 service. */
export interface S3Credentials {
  /** Access key ID: printable ASCII without space, comma, slash and equals sign. Required. */
  readonly accessKeyId: string;
  /** Secret. The secret access key. Required. */
  readonly secretAccessKey: string;
}

/** Credentials made elsewhere. */
export interface KeyIdentity extends S3Credentials {
  /**
   * Who this is in a bucket policy: an ARN such as `arn:aws:iam::PROJECT_ID:root`.
   * Required for writer and keeper. For the owner needed where objects belong to the identity that wrote them (Ceph
   * RGW), so that it can read and repair backups. Default there: the policy does not name the owner.
   */
  principal?: string;
}

/** A machine that backs up. */
export type ClientConfig = VmClient | ExistingClient | KeyOnlyClient;

/** What all kinds of clients have. */
interface CommonClient {
  /**
   * Host name and first part of the repositories' address: a lower-case DNS label of at most 63 characters, not only
   * digits, not one of restic's own names (data, keys, locks, snapshots, index, config), not localhost. Required.
   */
  name: string;
  /**
   * Whether it is shut out: its keys stop working and its machine is not contacted any more, while machine, backups
   * and keys stay as they are. For a client that may have been broken into. Default: false.
   */
  frozen: boolean;
  /** What it backs up, at least one; names differ within a client. Required. */
  repositories: RepositoryConfig[];
}

/** A virtual machine made by this stack. */
export interface VmClient extends CommonClient, MachineConfig {
  kind: "vm";
  /** Names or IDs of existing security groups, besides the one that the stack makes. Default: none. */
  securityGroups: string[];
}

/** A server that exists and is reached by SSH. */
export interface ExistingClient extends CommonClient {
  kind: "existing";
  /** How the stack reaches it. Required. No two clients may be one machine (address and port, or host key). */
  ssh: SshTarget;
  /**
   * Networks (CIDR) from which it connects to the proxy. Default: `ssh.address` where that is an IP address;
   * required where it is a name.
   */
  sourceCidrs: string[];
}

/** A machine to which the stack has no access: its operator gave us public keys and gets instructions. */
export interface KeyOnlyClient extends CommonClient {
  kind: "key-only";
  /** Networks (CIDR) from which it connects to the proxy, at least one. Required. */
  sourceCidrs: string[];
}

/** An SSH key pair. */
export interface KeyPair {
  /** `TYPE BASE64`, with or without a comment. */
  publicKey: string;
  /** Secret. PEM or OpenSSH. */
  privateKey: string;
}

/**
 * The settings of a repository that its client's machine needs. Every later form of a repository extends this type and
 * is made by a spread: a field that is added here reaches the plan, the deployment record and the host's renderers.
 */
export interface RepositorySettings {
  /** Last part of its address: as strict as a client's name. Required. */
  name: string;
  /**
   * What is backed up: absolute, normalized paths without duplicates, at least one, each taken as it stands: no pattern,
   * no `~`, no variable. Not below `/proc`, `/sys`, `/dev` and `/run`; what lies there is left out of `/`, too. Required.
   */
  paths: string[];
  /**
   * restic's exclude patterns; `~` and variables are refused, for restic does not expand them.
   * @default none
   */
  excludes: string[];
  /**
   * Whether a backup stays on the file systems that `paths` lie on, and leaves out what is mounted below them.
   * @default false
   */
  oneFileSystem: boolean;
}

/** One restic repository of one client, at `BUCKET/CLIENT/REPOSITORY`. */
export interface RepositoryConfig extends RepositorySettings {
  /** Secret. The password of a repository that exists already. Default: derived from the stack's root key. */
  password?: string;
  /**
   * The public key with which the client's operator connects, `ssh-ed25519 BASE64 [comment]`; ed25519 only, each
   * repository its own. Required for clients of kind `key-only`, refused for the others (the stack makes theirs).
   */
  publicKey?: string;
}
