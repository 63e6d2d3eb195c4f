"""A Discord bot: mention it with a picture, or send it one directly, and it answers who is in it.

    pip install "kyara[client]" discord.py==2.7.1
    DISCORD_TOKEN=… KYARA_URL=https://kyara.example python discord_bot.py

The token is at <https://discord.com/developers/applications>. No privileged intent is needed: a bot
reads the messages that mention it, and those that are sent to it alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import aiohttp
import discord

from kyara.client import AsyncClient, BadInputError, KyaraError, NoAnswerError, Retries

MAX_PICTURE_BYTES = 8 * 1000 * 1000
"""A site takes 8 MiB with what is around the picture."""
MAX_PICTURES = 4
"""Of one message."""
MAX_AT_ONCE = 4
"""Pictures that are fetched or asked about at a time; the others wait."""
MAX_CHARACTERS = 2000
"""Of an answer at Discord."""

logger = logging.getLogger("discord_bot")


class Bot(discord.Client):
    """Answers pictures."""

    def __init__(self) -> None:
        """Ask for the messages that it answers, and for no more."""
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(intents=intents, allowed_mentions=discord.AllowedMentions.none())
        url = os.environ.get("KYARA_URL", "http://127.0.0.1:5000")
        self.site = AsyncClient(url, retries=Retries(total_s=30))
        self.places = asyncio.Semaphore(MAX_AT_ONCE)

    async def on_message(self, message: discord.Message) -> None:
        """Answer the pictures of a message that is meant for the bot."""
        is_meant = isinstance(message.channel, discord.DMChannel) or self.user in message.mentions
        if message.author.bot or not is_meant:
            return
        pictures = [
            each for each in message.attachments if (each.content_type or "").startswith("image/")
        ]
        if not pictures:
            await message.reply("Send me a picture, and I tell you which anime characters are in it.")
            return
        async with message.channel.typing():
            words = [await self.tell(each) for each in pictures[:MAX_PICTURES]]
        if len(words) > 1:
            words = [f"{each.filename}\n{said}" for each, said in zip(pictures, words, strict=False)]
        if len(pictures) > MAX_PICTURES:
            words.append(f"I look at {MAX_PICTURES} pictures at a time.")
        await message.reply(discord.utils.escape_markdown("\n\n".join(words))[:MAX_CHARACTERS])

    async def tell(self, picture: discord.Attachment) -> str:
        """Return who is in a picture, or why that cannot be told."""
        if picture.size > MAX_PICTURE_BYTES:
            return f"That file is too large: I take pictures of up to {MAX_PICTURE_BYTES // 10**6} MB."
        try:
            async with self.places:
                return (await self.site.identify(await picture.read())).in_words()
        except NoAnswerError as error:
            logger.warning("%s", error)
            return "Kyara does not answer at the moment. Please try again later."
        except KyaraError as error:
            return str(error)
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError):
            return "I cannot fetch that picture. Please send it again."

    async def close(self) -> None:
        """Close the connections to Discord and to the site."""
        await super().close()
        await self.site.close()


def main() -> None:
    """Run until Ctrl-C."""
    token = os.environ.get("DISCORD_TOKEN")
    if not token:
        sys.exit("Set DISCORD_TOKEN to the bot's token.")
    try:
        bot = Bot()
    except BadInputError as error:
        sys.exit(f"KYARA_URL: {error}")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each question is too much
    try:
        bot.run(token, root_logger=True)
    except discord.LoginFailure:
        sys.exit("Discord does not know this DISCORD_TOKEN.")


if __name__ == "__main__":
    main()
