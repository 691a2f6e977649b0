/**
 * A small ext4 file system in a file, to freeze or fill without harm to anything else. Needs root
 * and a kernel with loop devices. Always unmount it: the machine has few loop devices.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const TOOLS = ['mkfs.ext4', 'mount', 'umount', 'fsfreeze'];

export class LoopDisk {
  #image;
  directory;

  constructor(image, directory) {
    this.#image = image;
    this.directory = directory;
  }

  /** Why there can be no such disk here; undefined: there can. */
  static whyNot() {
    if (process.getuid?.() !== 0) return 'only root may mount a file system';
    const missing = TOOLS.find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
    return missing === undefined ? undefined : `${missing} is not installed`;
  }

  static mount(parent, bytes) {
    const image = path.join(parent, 'disk.img');
    const directory = path.join(parent, 'disk');
    writeFileSync(image, '');
    truncateSync(image, bytes);
    mkdirSync(directory);
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
    execFileSync('mount', ['-o', 'loop', image, directory]);
    return new LoopDisk(image, directory);
  }

  /** Every write waits until `ms` have passed. */
  async freeze(ms) {
    execFileSync('fsfreeze', ['-f', this.directory]);
    try {
      await new Promise((resolve) => setTimeout(resolve, ms));
    } finally {
      execFileSync('fsfreeze', ['-u', this.directory]);
    }
  }

  unmount() {
    execFileSync('umount', [this.directory]);
    rmSync(this.#image);
  }
}
