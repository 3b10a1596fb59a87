"""What we ask of a running Home Assistant, over HTTP as its own frontend does."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, NotRequired, Self, TypedDict, cast

import aiohttp

USER: Final = "dev"
PASSWORD: Final = "dev"  # noqa: S105 - the documented password of a site on the loopback interface

type Fields = Mapping[str, object]


class Step(TypedDict):
    """What a flow answers; which keys there are depends on its `type`."""

    type: str
    flow_id: str
    step_id: NotRequired[str]
    errors: NotRequired[dict[str, str] | None]
    reason: NotRequired[str]
    menu_options: NotRequired[list[str]]


class Entry(TypedDict):
    """A config entry."""

    entry_id: str
    domain: str
    title: str
    state: str


class Subentry(TypedDict):
    """A subentry of a config entry."""

    subentry_id: str
    subentry_type: str
    title: str
    unique_id: str | None


class Tokens(TypedDict):
    """What a login is worth."""

    access_token: str
    refresh_token: str
    expires_in: int


class State(TypedDict):
    """An entity's state."""

    entity_id: str
    state: str
    attributes: dict[str, object]


class ApiError(Exception):
    """Home Assistant did not do what we asked for."""

    def __init__(self, request: str, answer: object) -> None:
        """Say what we asked and what came."""
        super().__init__(f"{request}: {answer}")


class HomeAssistantApi:
    """A logged-in user of a Home Assistant, at a URL without a slash at its end."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """Talk to this Home Assistant; `login` first."""
        self._session = session
        self._url = url
        self._tokens: Tokens | None = None

    @property
    def tokens(self) -> Tokens:
        """What the login was worth, for a browser that need not log in again."""
        if self._tokens is None:
            raise ApiError("tokens", "not logged in")
        return self._tokens

    async def wait_until_up(self, still_there: Callable[[], None]) -> None:
        """Return once it answers; `still_there` raises when there is nothing left to wait for."""
        while True:
            still_there()
            try:
                async with self._session.get(f"{self._url}/manifest.json") as response:
                    if response.status == HTTPStatus.OK:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)

    async def login(self) -> Self:
        """Log in, as the user whom we create if there is none."""
        client_id = f"{self._url}/"
        if await self._is_new():
            user = {
                "name": "Developer",
                "username": USER,
                "password": PASSWORD,
                "client_id": client_id,
                "language": "en",
            }
            answer = cast("dict[str, str]", await self._request("POST", "/api/onboarding/users", user))
            code = answer["auth_code"]
        else:
            flow = {"client_id": client_id, "handler": ["homeassistant", None], "redirect_uri": client_id}
            step = cast("Step", await self._request("POST", "/auth/login_flow", flow))
            credentials = {"client_id": client_id, "username": USER, "password": PASSWORD}
            answer = cast(
                "dict[str, str]", await self._request("POST", f"/auth/login_flow/{step['flow_id']}", credentials)
            )
            code = answer["result"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client_id}
        async with self._session.post(f"{self._url}/auth/token", data=form) as response:
            if response.status != HTTPStatus.OK:
                raise ApiError("/auth/token", response.status)
            self._tokens = await response.json()
        return self

    async def wait_until_running(self) -> None:
        """Return once everything is set up."""
        while cast("dict[str, str]", await self._request("GET", "/api/config"))["state"] != "RUNNING":  # noqa: ASYNC110 - polls another process
            await asyncio.sleep(0.2)

    async def entries(self, domain: str) -> list[Entry]:
        """Return the config entries of an integration."""
        return cast("list[Entry]", await self._request("GET", f"/api/config/config_entries/entry?domain={domain}"))

    async def loaded_entry(self, domain: str) -> Entry:
        """Return the first config entry of an integration, once it is loaded."""
        while (entry := (await self.entries(domain))[0])["state"] != "loaded":  # noqa: ASYNC110 - polls another process
            await asyncio.sleep(0.2)
        return entry

    async def subentries(self, entry_id: str) -> list[Subentry]:
        """Return the subentries of a config entry."""
        async with self._session.ws_connect(f"{self._url}/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self.tokens["access_token"]})
            await socket.receive_json()
            await socket.send_json({"id": 1, "type": "config_entries/subentries/list", "entry_id": entry_id})
            answer = await socket.receive_json()
        if not answer["success"]:
            raise ApiError("subentries", answer["error"])
        return cast("list[Subentry]", answer["result"])

    async def states(self) -> list[State]:
        """Return the states of all entities."""
        return cast("list[State]", await self._request("GET", "/api/states"))

    async def run_flow(self, path: str, start: Fields, *answers: Fields) -> None:
        """Go through a config or subentry flow, answer by answer, to its end.

        Raises ApiError when it shows an error, aborts, or wants more than we have to say.
        """
        step = cast("Step", await self._request("POST", path, start))
        for answer in answers:
            step = await self._next(path, step, answer)
        if step["type"] != "create_entry":
            raise ApiError(path, f"is not at its end: {step}")

    async def _next(self, path: str, step: Step, answer: Fields) -> Step:
        if step["type"] not in ("form", "menu"):
            raise ApiError(path, f"asks for nothing: {step}")
        address = f"{path}/{step['flow_id']}"
        following = cast("Step", await self._request("POST", address, answer))
        while following["type"] == "progress":
            await asyncio.sleep(0.2)
            following = cast("Step", await self._request("GET", address))
        if following["type"] == "abort" or following.get("errors"):
            raise ApiError(path, f"{step.get('step_id')}: {following.get('errors') or following.get('reason')}")
        return following

    async def _is_new(self) -> bool:
        async with self._session.get(f"{self._url}/api/onboarding") as response:
            # Once everything is done, the address is gone.
            steps = await response.json() if response.status == HTTPStatus.OK else []
        return any(step["step"] == "user" and not step["done"] for step in steps)

    async def _request(self, method: str, path: str, body: Fields | None = None) -> object:
        headers = {"Authorization": f"Bearer {self._tokens['access_token']}"} if self._tokens else {}
        async with self._session.request(method, self._url + path, json=body, headers=headers) as response:
            if response.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
                raise ApiError(path, f"{response.status} {await response.text()}")
            answer: object = await response.json()
        return answer
