#!/usr/bin/env python3
# Asks restic which backups of a simulated five years it keeps, and writes its answers to stdout in
# the format that tests/backup/restic_answers.h reads. Some minutes:
#   tests/backup/make_restic_answers.py > tests/backup/restic_answers.txt
# Every backup is made by `restic backup --time`; every answer is that of `restic forget`.
import base64
import datetime
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ZONE = 'Europe/Berlin'
FIRST_DAY = datetime.date(2020, 1, 1)
LAST_DAY = datetime.date(2024, 12, 31)
HOLIDAYS = ((datetime.date(2020, 7, 20), 25), (datetime.date(2022, 12, 20), 40))
MOMENTS = 8
ALL = 100000  # What stands for -1: restic knows that word since 0.16 only.
REASONS = ('last', 'daily', 'weekly', 'monthly', 'yearly')

# last, daily, weekly, monthly, yearly, within
POLICIES = (
    (1, 0, 0, 0, 0, ''), (10, 0, 0, 0, 0, ''), (-1, 0, 0, 0, 0, ''),
    (0, 1, 0, 0, 0, ''), (0, 7, 0, 0, 0, ''), (0, 400, 0, 0, 0, ''), (0, -1, 0, 0, 0, ''),
    (0, 0, 1, 0, 0, ''), (0, 0, 5, 0, 0, ''), (0, 0, 60, 0, 0, ''), (0, 0, -1, 0, 0, ''),
    (0, 0, 0, 1, 0, ''), (0, 0, 0, 12, 0, ''), (0, 0, 0, -1, 0, ''),
    (0, 0, 0, 0, 1, ''), (0, 0, 0, 0, 3, ''), (0, 0, 0, 0, -1, ''),
    (0, 0, 0, 0, 0, '1h'), (0, 0, 0, 0, 0, '36h'), (0, 0, 0, 0, 0, '720h'),
    (0, 0, 0, 0, 0, '8760h'), (0, 0, 0, 0, 0, '1d'), (0, 0, 0, 0, 0, '30d'),
    (0, 0, 0, 0, 0, '400d'),
    (0, 7, 4, 12, 0, ''), (3, 7, 4, 12, 3, ''), (1, 0, 0, 0, 10, ''), (0, 14, 8, 0, 0, '72h'),
    (5, 0, 0, 24, 0, '14d'), (0, 30, 0, 0, -1, '48h'), (2, 3, 5, 7, 11, '240h'),
    (0, 0, 53, 0, 5, '1d'), (20, 20, 20, 20, 20, '20h'),
)
# Those that are applied after every single backup, for five years.
STEPPED = (25, 27, 30)


def simulated_times():
    """Nightly at half past two, the hour that clock changes touch, with gaps and busy days."""
    chance = random.Random(20200101)
    times = []
    day = FIRST_DAY
    while day <= LAST_DAY:
        away = any(begin <= day < begin + datetime.timedelta(length) for begin, length in HOLIDAYS)
        if not away and chance.random() < 0.9:
            times.append(datetime.datetime(day.year, day.month, day.day, 2, 30 - chance.randrange(3),
                                           chance.randrange(60)))
        if not away and chance.random() < 0.05:
            for minute in sorted(chance.sample(range(180, 1440), chance.randrange(1, 5))):
                times.append(datetime.datetime(day.year, day.month, day.day, minute // 60,
                                               minute % 60, chance.randrange(60)))
        day += datetime.timedelta(1)
    return times


# ---- A repository that opens fast ----------------------------------------------------------------

def openssl(mode, key, data, iv=None):
    command = ['openssl', 'enc', '-e', '-aes-256-ctr' if mode == 'ctr' else '-aes-128-ecb', '-K',
               key.hex(), '-nopad'] + (['-iv', iv.hex()] if iv else [])
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def poly1305_aes(key, nonce, text):
    # https://cr.yp.to/mac/poly1305-20050329.pdf; `key` is the AES key and then r.
    r = int.from_bytes(key[16:], 'little') & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at:at + 16] + b'\1', 'little')) * r % (2**130 - 5)
    total += int.from_bytes(openssl('ecb', key[:16], nonce), 'little')
    return (total % 2**128).to_bytes(16, 'little')


def derived(password, key):
    return hashlib.scrypt(password.encode(), salt=base64.b64decode(key['salt']), n=key['N'],
                          r=key['r'], p=key['p'], maxmem=2**30, dklen=64)


def make_the_password_cheap(repository, password):
    """Wraps the repository's key again with the least of scrypt, which else takes each of some
    thousand commands half a second."""
    [file] = (repository / 'keys').iterdir()
    key = json.loads(file.read_text())
    old = derived(password, key)
    sealed = base64.b64decode(key['data'])
    iv, text, mac = sealed[:16], sealed[16:-16], sealed[-16:]
    assert poly1305_aes(old[32:], iv, text) == mac
    plain = openssl('ctr', old[:32], text, iv)
    key.update(N=2, r=8, p=1)
    new = derived(password, key)
    text = openssl('ctr', new[:32], plain, iv)
    key['data'] = base64.b64encode(iv + text + poly1305_aes(new[32:], iv, text)).decode()
    content = json.dumps(key).encode()
    file.unlink()
    (repository / 'keys' / hashlib.sha256(content).hexdigest()).write_bytes(content)


class Restic:
    def __init__(self, folder):
        self.repository = pathlib.Path(folder) / 'repository'
        self.environment = dict(os.environ, RESTIC_REPOSITORY=str(self.repository), TZ=ZONE,
                                RESTIC_PASSWORD='simulated')
        self.run('init')
        make_the_password_cheap(self.repository, 'simulated')
        self.files = []  # Of the snapshots, by number.
        self.shelf = pathlib.Path(folder) / 'shelf'
        self.shelf.mkdir()
        self.number_of = {}  # By the time of a snapshot, as restic writes it.

    def run(self, *arguments, stdin=b''):
        return subprocess.run(['restic', '--no-cache', *arguments], env=self.environment,
                              input=stdin, stdout=subprocess.PIPE, check=True).stdout.decode()

    def back_up(self, time):
        self.run('backup', '--stdin', '--host', 'h', '--quiet', '--time',
                 time.strftime('%Y-%m-%d %H:%M:%S'), stdin=b'content')
        [file] = (self.repository / 'snapshots').iterdir()
        file.rename(self.shelf / file.name)
        self.files.append(file.name)

    def show(self, numbers):
        """Makes these the snapshots of the repository: it is the files that count."""
        shown = self.repository / 'snapshots'
        there = set(os.listdir(shown))
        wanted = {self.files[number] for number in numbers}
        for name in there - wanted:
            (shown / name).unlink()
        for name in wanted - there:
            os.link(self.shelf / name, shown / name)

    def times(self):
        self.show(range(len(self.files)))
        by_id = {each['id']: each['time'] for each in json.loads(self.run('snapshots', '--json'))}
        texts = [by_id[name] for name in self.files]
        self.number_of = {text: number for number, text in enumerate(texts)}
        return texts

    def forget(self, policy, *flags):
        """The numbers kept for each reason, and those removed."""
        arguments = ['forget', '--json', *flags]
        for value, reason in zip(policy, REASONS):
            if value:
                arguments += ['--keep-' + reason, str(ALL if value == -1 else value)]
        if policy[5]:
            arguments += ['--keep-within', policy[5]]
        [group] = json.loads(self.run(*arguments))
        kept = {}
        for each in group['reasons']:
            for match in each['matches']:
                kept.setdefault(match.split()[0], []).append(self.number_of[each['snapshot']['time']])
        return kept, [self.number_of[each['time']] for each in group['remove'] or []]


def ranges(numbers):
    parts = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ' '.join(str(a) if a == b else f'{a}-{b}' for a, b in parts)


def main():
    with tempfile.TemporaryDirectory(prefix='restic-answers-') as folder:
        restic = Restic(folder)
        print('# What restic keeps; made by tests/backup/make_restic_answers.py with',
              restic.run('version').strip())
        for time in simulated_times():
            restic.back_up(time)
            print(len(restic.files), end='\r', file=sys.stderr)
        # Two may be of one moment where the clock was put forward: none is, or order would matter.
        texts = restic.times()
        moments = [datetime.datetime.fromisoformat(text[:19] + text[-6:]) for text in texts]
        assert moments == sorted(set(moments))
        for number, moment in enumerate(moments):
            print('backup', number, int(moment.timestamp() * 1000), texts[number][:10])
        for number, policy in enumerate(POLICIES):
            print('policy', number, *policy[:5], policy[5] or 'none')
        for moment in (1, 2, *(len(texts) * i // (MOMENTS - 2) for i in range(1, MOMENTS - 1))):
            restic.show(range(moment))
            for number, policy in enumerate(POLICIES):
                kept, _ = restic.forget(policy, '--dry-run', '--no-lock')
                for reason in (*REASONS, 'within'):
                    if reason in kept:
                        print('kept', number, moment, reason, ranges(kept[reason]))
        for number in STEPPED:
            restic.show(())
            here = set()
            for backup in range(len(texts)):
                here.add(backup)
                restic.show(here)
                _, removed = restic.forget(POLICIES[number])
                here -= set(removed)
                print('stepped', number, backup, ranges(removed) or 'none')
                print('stepped', number, backup, end='   \r', file=sys.stderr)


main()
