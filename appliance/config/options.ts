/**
 * Every option of the appliance: key, type, unit, default, bounds, reason. Nothing else reads the configuration file or the environment.
 * Keys are the paths in parley.toml (`[gateway] https_port = 443` is `gateway.https_port`). Order is the order of `parley config`;
 * a default that follows from another option names one above it.
 */
import { boxOptions } from "./box-options.ts";
import { bridgeOptions } from "./bridge-options.ts";
import { focusOptions } from "./focus-options.ts";
import { gatewayOptions } from "./gateway-options.ts";
import type { Option, ValueOf } from "./option.ts";
import { roomOptions } from "./room-options.ts";
import { serverOptions } from "./server-options.ts";
import { xmppOptions } from "./xmpp-options.ts";

export const options = {
  ...boxOptions,
  ...xmppOptions,
  ...roomOptions,
  ...serverOptions,
  ...focusOptions,
  ...bridgeOptions,
  ...gatewayOptions,
} as const satisfies Readonly<Record<string, Option<unknown>>>;

export type Options = typeof options;
export type Key = keyof Options;
/** The effective values, one per key. */
export type Settings = { readonly [K in Key]: ValueOf<Options[K]> };

export const keys = Object.keys(options) as readonly Key[];
export const isKey = (name: string): name is Key => Object.hasOwn(options, name);
