/** Authenticated encryption as restic does it: AES-256 in counter mode, then Poly1305-AES of the ciphertext. */
import { createCipheriv, createDecipheriv, randomBytes, timingSafeEqual } from "node:crypto";
import { poly1305 } from "@noble/ciphers/_poly1305";
import { FormatError } from "./error";

/** A key of a repository, or one that was derived from a password. */
export interface Key {
  /** 32 bytes, for AES-256. */
  readonly encrypt: Buffer;
  /** 16 bytes, for the AES-128 that encrypts the nonce for Poly1305. */
  readonly k: Buffer;
  /** 16 bytes, Poly1305's multiplier; Poly1305 itself clears the bits that it must not have. */
  readonly r: Buffer;
}

const NONCE = 16;
const TAG = 16;

/** Bytes that encryption adds. */
export const OVERHEAD = NONCE + TAG;

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

/** Whether restic would use this key. */
export const isUsable = ({ encrypt, k, r }: Key): boolean => !isZero(encrypt) && !isZero(k) && !isZero(r);

function tag(key: Key, nonce: Buffer, ciphertext: Buffer): Uint8Array {
  const pad = createCipheriv("aes-128-ecb", key.k, null).setAutoPadding(false).update(nonce);
  return poly1305(ciphertext, Buffer.concat([key.r, pad]));
}

/** Encrypts under a new random nonce. */
export function seal(key: Key, plain: Buffer): Buffer {
  const nonce = randomBytes(NONCE);
  const ciphertext = createCipheriv("aes-256-ctr", key.encrypt, nonce).update(plain);
  return Buffer.concat([nonce, ciphertext, tag(key, nonce, ciphertext)]);
}

/** Decrypts, or gives `undefined` for what was not encrypted under this key. */
export function tryOpen(key: Key, sealed: Buffer): Buffer | undefined {
  if (sealed.length < OVERHEAD) return undefined;
  const nonce = sealed.subarray(0, NONCE);
  // restic refuses this nonce: what is accepted here must be readable there.
  if (isZero(nonce)) return undefined;
  const ciphertext = sealed.subarray(NONCE, -TAG);
  if (!timingSafeEqual(tag(key, nonce, ciphertext), sealed.subarray(-TAG))) return undefined;
  return createDecipheriv("aes-256-ctr", key.encrypt, nonce).update(ciphertext);
}

/** @throws FormatError if it was not encrypted under this key */
export function open(key: Key, sealed: Buffer): Buffer {
  const plain = tryOpen(key, sealed);
  if (plain === undefined) throw new FormatError("it was not encrypted with the repository's key");
  return plain;
}
