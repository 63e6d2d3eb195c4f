"""A Telegram bot: send it a picture, and it answers who is in it.

    pip install "kyara[client]" python-telegram-bot==22.8
    TELEGRAM_TOKEN=… KYARA_URL=https://kyara.example python telegram_bot.py

@BotFather gives the token. TELEGRAM_API is the address of an API server of one's own, if there is one.
"""

from __future__ import annotations

import logging
import os
import sys

from telegram import Update
from telegram.constants import MessageLimit
from telegram.error import InvalidToken, TelegramError
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters

from kyara.client import AsyncClient, BadInputError, KyaraError, NoAnswerError, Retries

MAX_PICTURE_BYTES = 8 * 1000 * 1000
"""A site takes 8 MiB with what is around the picture."""
HELLO = "Send me a picture, and I tell you which anime characters are in it."

logger = logging.getLogger("telegram_bot")


async def greet(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Say what the bot does."""
    if update.effective_message:
        await update.effective_message.reply_text(HELLO)


async def answer(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer a picture: a photograph, or a picture that was sent as a file."""
    message = update.effective_message
    if message is None:
        return
    sent = message.photo[-1] if message.photo else message.document  # the last one is the largest
    if sent is None:
        return
    if (sent.file_size or 0) > MAX_PICTURE_BYTES:
        words = f"That file is too large: I take pictures of up to {MAX_PICTURE_BYTES // 10**6} MB."
    else:
        try:
            data = bytes(await (await sent.get_file()).download_as_bytearray())
            words = (await context.bot_data["site"].identify(data)).in_words()
        except NoAnswerError as error:
            logger.warning("%s", error)
            words = "Kyara does not answer at the moment. Please try again later."
        except KyaraError as error:
            words = str(error)
        except TelegramError as error:
            logger.warning("A picture cannot be fetched: %s", error)
            words = "I cannot fetch that picture. Please send it again."
    await message.reply_text(words[: MessageLimit.MAX_TEXT_LENGTH], do_quote=True)


async def close(application: Application) -> None:
    """Close the connections to the site."""
    await application.bot_data["site"].close()


def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold the token
    token, api = os.environ.get("TELEGRAM_TOKEN"), os.environ.get("TELEGRAM_API")
    if not token:
        sys.exit("Set TELEGRAM_TOKEN to the token that @BotFather gives.")
    url = os.environ.get("KYARA_URL", "http://127.0.0.1:5000")
    try:
        site = AsyncClient(url, retries=Retries(total_s=30))
    except BadInputError as error:
        sys.exit(f"KYARA_URL: {error}")
    builder = Application.builder().token(token).concurrent_updates(4).post_shutdown(close)
    if api:
        builder = builder.base_url(f"{api}/bot").base_file_url(f"{api}/file/bot")
    application = builder.build()
    application.bot_data["site"] = site
    application.add_handler(CommandHandler(["start", "help"], greet))
    application.add_handler(MessageHandler(filters.PHOTO | filters.Document.IMAGE, answer))
    try:
        application.run_polling(allowed_updates=[Update.MESSAGE])
    except InvalidToken:
        sys.exit("Telegram does not know this TELEGRAM_TOKEN.")


if __name__ == "__main__":
    main()
