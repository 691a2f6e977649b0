/**
 * A small disk of its own: ext4 in a file, mounted by a loop device. Its power can be cut: everything
 * that was not synced is gone, as after pulling the plug.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

/** Shuts an ext4 or xfs down without flushing its log: the ioctl GOINGDOWN with the flag NOLOGFLUSH. */
const SHUTDOWN_SCRIPT = "import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1],0),0x8004587d,struct.pack('I',2))";
const UNMOUNT_TRIES = 50;
const UNMOUNT_PAUSE_MS = 40;

export class LoopDisk {
  readonly #dir: string;
  readonly #image: string;
  /** Where the disk is mounted. */
  readonly mountPoint: string;

  constructor(mebibytes: number) {
    this.#dir = fs.mkdtempSync(path.join(tmpdir(), 'store-disk-'));
    this.#image = path.join(this.#dir, 'disk.img');
    this.mountPoint = path.join(this.#dir, 'mnt');
    fs.mkdirSync(this.mountPoint);
    fs.writeFileSync(this.#image, '');
    fs.truncateSync(this.#image, mebibytes * 1024 * 1024);
    try {
      run('mkfs.ext4', '-q', '-F', '-m', '0', this.#image);
      this.mount();
    } catch (error) {
      fs.rmSync(this.#dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** @param options of mount(8), e.g. `ro`. */
  mount(options = 'rw'): void {
    run('mount', '-o', `loop,${options}`, this.#image, this.mountPoint);
  }

  async unmount(): Promise<void> {
    // A process that was killed a moment ago may still hold a file.
    for (let attempt = 1; ; attempt += 1) {
      const done = spawnSync('umount', [this.mountPoint], { encoding: 'utf8' });
      if (done.status === 0) return;
      if (attempt >= UNMOUNT_TRIES) throw new Error(`${this.mountPoint} cannot be unmounted: ${done.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, UNMOUNT_PAUSE_MS));
    }
  }

  /** Takes all room but this with one file. @returns the file; removing it gives the room back */
  fill(leaveBytes: number): string {
    const { bavail, bsize } = fs.statfsSync(this.mountPoint);
    const ballast = path.join(this.mountPoint, 'ballast');
    run('fallocate', '-l', String(Math.max(bavail * bsize - leaveBytes, bsize)), ballast);
    return ballast;
  }

  /** From now on nothing reaches the disk, and what had not reached it is lost. */
  cutPower(): void {
    if (spawnSync('xfs_io', ['-x', '-c', 'shutdown', this.mountPoint]).status === 0) return;
    run('python3', '-c', SHUTDOWN_SCRIPT, this.mountPoint);
  }

  /** Unmounts, which frees the loop device, and removes the image. Never throws for a disk that is not mounted. */
  async remove(): Promise<void> {
    if (isMounted(this.mountPoint)) await this.unmount();
    fs.rmSync(this.#dir, { recursive: true, force: true });
  }
}

function isMounted(place: string): boolean {
  return fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${place} `);
}

function run(command: string, ...args: string[]): void {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  if (done.error !== undefined) throw new Error(`${command} cannot be run: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`${command} failed: ${done.stderr.trim()}`);
}

/** Why no disk of this kind can be made and cut here; undefined: it can. */
export async function whyNoLoopDisk(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs root on Linux';
  let disk: LoopDisk | undefined;
  try {
    disk = new LoopDisk(8);
    disk.cutPower();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await disk?.remove();
  }
}
