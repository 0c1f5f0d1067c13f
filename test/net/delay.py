#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""delay.py HOST PORT TO-HOST TO-PORT MS: a TCP relay in which everything takes MS."""
import asyncio
import sys

host, port, to_host, to_port, ms = sys.argv[1:]


async def pump(reader, writer):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(1000)

    async def deliver():
        while True:
            at, data = await queue.get()
            await asyncio.sleep(max(0, at - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    task = asyncio.create_task(deliver())
    try:
        while True:
            data = await reader.read(65536)
            await queue.put((loop.time() + int(ms) / 1000, data))
            if not data:
                break
        await task
    except ConnectionError:
        writer.close()
        task.cancel()


async def serve(reader, writer):
    try:
        far_reader, far_writer = await asyncio.open_connection(to_host, int(to_port))
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


async def main():
    server = await asyncio.start_server(serve, host, int(port))
    async with server:
        await server.serve_forever()


asyncio.run(main())
