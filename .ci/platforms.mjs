// platforms.mjs — the platforms that packages with a compiled addon are made for, and what compiles them.
//
// Debian has a C++ compiler for both processors, and an emulator to run the foreign one's programs; it has none for
// musl: those two are compiled where musl is at home, by the release workflow, in a container of Alpine.

import path from 'node:path';
import { isUpToDate, root } from './prepare.mjs';

/**
 * `compiler`: Debian's, and the package it comes in; `emulator`: likewise, where this processor may not be the host's.
 *
 * @typedef {{ command: string, debianPackage: string }} Tool
 * @typedef {{ name: string, cpu: 'x64' | 'arm64', libc: 'glibc' | 'musl', compiler?: Tool, emulator?: Tool,
 *   sysroot?: string }} Platform
 */

/** @type {readonly Platform[]} */
export const PLATFORMS = [
  { name: 'linux-x64', cpu: 'x64', libc: 'glibc', compiler: { command: 'g++', debianPackage: 'g++' } },
  {
    name: 'linux-arm64',
    cpu: 'arm64',
    libc: 'glibc',
    compiler: { command: 'aarch64-linux-gnu-g++', debianPackage: 'g++-aarch64-linux-gnu' },
    emulator: { command: 'qemu-aarch64-static', debianPackage: 'qemu-user-static' },
    sysroot: '/usr/aarch64-linux-gnu',
  },
  { name: 'linux-x64-musl', cpu: 'x64', libc: 'musl' },
  { name: 'linux-arm64-musl', cpu: 'arm64', libc: 'musl' },
];

/** The platform this process runs on, as its packages are called; undefined if none is made for it. */
export function hostPlatform() {
  if (process.platform !== 'linux') return undefined;
  const libc = process.report?.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  return PLATFORMS.find((one) => one.cpu === process.arch && one.libc === libc);
}

/**
 * Where the compiled addon of a platform lies, if there is one that is no older than its sources: the host's own build,
 * or one of cross.mjs.
 *
 * @param {Platform} platform
 * @returns {string | undefined}
 */
export function builtAddon(platform) {
  const files = [path.join('build/addons', platform.name, 'zerohop.node')];
  if (platform === hostPlatform()) files.unshift('build/Release/zerohop.node');
  const built = files.find((file) => isUpToDate(file, ['native']));
  return built && path.join(root, built);
}
