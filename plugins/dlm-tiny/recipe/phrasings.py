"""Word tables of the generator: kinds of fact, the ways to ask for each, and the words that answers are made of.

A family is a kind of question.  Its frames are ways to ask it, its topics are rows of synonyms that fill `{n}`, its
answers are written with `{v}`, the value.  `{e}` stands for the subject.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    frames: tuple[str, ...]
    topics: tuple[str, ...]
    values: tuple[str, ...]
    answers: tuple[str, ...]


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.strip().split("|"))


NOUN_FRAMES = _split(
    """What is the {n} of {e}? | What {n} does {e} have? | Tell me the {n} of {e}. |
    Do you know the {n} of {e}? | Can you tell me the {n} of {e}? | I want to know the {n} of {e}. |
    What is {e}'s {n}? | Give me the {n} of {e}. | Which {n} does {e} have? | What would be the {n} of {e}? |
    State the {n} of {e}. | {e} has what {n}? | Could you give me the {n} of {e}? |
    About {e}: what is the {n}?"""
)

FAMILIES = (
    Family(
        NOUN_FRAMES + _split("How big is the {n} of {e}? | How high is the {n} of {e}? | How much {n} does {e} have?"),
        _split(
            """weight/mass | height/size | length/reach | depth | speed/pace/top speed | range |
            temperature/heat | power/output | capacity/volume | age | pressure | battery life/run time |
            warranty/guarantee | budget/funding | population/number of people | score/rating |
            distance from the city | noise level"""
        ),
        _split(
            """{number} {unit} | {number} {unit} | {number}.{digit} {unit} |
            between {digit} and {number} {unit} | about {number} {unit} | {number} {unit} in {season}"""
        ),
        _split("The {n} of {e} is {v}. | {v}. | It is {v}. | {e} has a {n} of {v}."),
    ),
    Family(
        NOUN_FRAMES,
        _split(
            """color/colour | shape/form | material | smell/scent | taste/flavor |
            main rule/most important rule | nickname/other name | password/secret word | motto/slogan |
            symbol/emblem/sign | goal/aim/purpose | biggest problem/main weakness |
            best feature/main strength | language | currency/money | capital/main city |
            main product/chief product | profession/job/trade | hobby/pastime | favorite food/favorite meal |
            file format/format | default setting/standard setting | code name | home town/native town |
            title | theme"""
        ),
        _split("{quality} | {quality} {thing} | {word} | {thing} and {thing} | {quality} and {quality} | {place}"),
        _split("The {n} of {e} is {v}. | {v}. | Its {n} is {v}. | It is {v}."),
    ),
    Family(
        _split(
            """How much does {e} cost? | What does {e} cost? | How much is {e}? | What is the price of {e}? |
            How expensive is {e}? | What do I pay for {e}? | How much money do I need for {e}? |
            What is the cost of {e}? | What do they charge for {e}? | For what price is {e} sold? |
            Tell me what {e} costs. | What would {e} cost me? | Do you know the price of {e}?"""
        ),
        ("price/cost",),
        _split("{number} {money} | {number} {money} a {period} | {digit} {money}, or {number} for {count}"),
        _split("{e} costs {v}. | {v}. | It costs {v}. | You pay {v}."),
    ),
    Family(
        _split(
            """How do I {n} {e}? | How can I {n} {e}? | What do I do to {n} {e}? | Tell me how to {n} {e}. |
            What is the way to {n} {e}? | What must I do to {n} {e}? | Explain how to {n} {e}. |
            How does one {n} {e}? | What are the steps to {n} {e}? | I need to {n} {e}. What do I do? |
            How should I {n} {e}? | I would like to {n} {e}. How? | What is the right way to {n} {e}? |
            How would I {n} {e}?"""
        ),
        _split(
            """reset/restart/reboot | clean/wash/wipe | start/turn on/switch on |
            stop/turn off/switch off/shut down | charge/recharge | open/unlock | close/lock |
            repair/fix/mend | store/keep/put away | install/set up | update/upgrade |
            remove/uninstall/take out | feed | move/carry/transport | test/check/try out |
            connect/link/pair | cancel/end | cook/prepare/heat | calibrate/adjust/tune | order/buy/get |
            join/enter | use/operate/work with | protect/guard | save/back up | print/copy | find/locate"""
        ),
        _split(
            """{verb} the {part} {count} | {verb} the {quality} {part} for {digit} {time} |
            {verb} the {part}, then {verb} the {part} | {verb} the {part} and wait {digit} {time} |
            {verb} the {part} until the {part} is {quality} | use {quality} {stuff} and {verb} the {part} |
            ask {person} and {verb} the {part} | {verb} {stuff} into the {part}"""
        ),
        _split("{v}. | {v}. | You {v}. | To {n} {e}, {v}."),
    ),
    Family(
        _split(
            """Who {n} {e}? | By whom was {e} {n}? | What is the name of the person who {n} {e}? |
            Which person {n} {e}? | {e} was {n} by whom? | Name the person who {n} {e}. |
            Do you know who {n} {e}? | Tell me who {n} {e}. | Who was it that {n} {e}? |
            Who is the person that {n} {e}? | Who has {n} {e}?"""
        ),
        _split(
            """invented/designed/created/developed | founded/started/set up | built/made/constructed |
            wrote/authored | painted/drew | named | discovered/found first | repaired/fixed |
            bought/acquired | sold | tested/checked | opened | won | trained/taught | planned/organized |
            stole | led/directed | lost"""
        ),
        _split("{person} | {person} | {person} and {person} | {title} {person} | {person} of {place}"),
        _split("{v} {n} {e}. | {v}. | {v}. | It was {v}."),
    ),
    Family(
        _split(
            """Who {n} {e}? | Which person {n} {e}? | What is the name of the person who {n} {e}? |
            Tell me who {n} {e}. | Do you know who {n} {e}? | Name the person who {n} {e}. |
            Who is it that {n} {e}? | Who is the one who {n} {e}?"""
        ),
        _split(
            """owns/has | runs/leads/manages/is in charge of | repairs/services/looks after/takes care of |
            sells | guards/protects | pays for/funds/finances | uses/needs | teaches/explains | cleans |
            visits | plays"""
        ),
        _split("{person} | {title} {person} | {person} and {person} | the {quality} {group} | the {group} of {place}"),
        _split("{v} {n} {e}. | {v}. | {v}. | It is {v}."),
    ),
    Family(
        _split(
            """Where is {e} {n}? | In which place is {e} {n}? | What is the place where {e} is {n}? |
            Tell me where {e} is {n}. | Do you know where {e} is {n}? | At what place is {e} {n}? |
            In what town is {e} {n}? | Where can I see {e} being {n}? | Where do they say {e} is {n}?"""
        ),
        _split(
            """made/built/produced/manufactured | kept/stored/held | found/located/situated | sold/offered |
            repaired/serviced/fixed | taught/learned | shown/displayed | tested/checked | grown/raised |
            used/needed"""
        ),
        _split("in {place} | near {place} | under the {part} | in the {quality} {room} | behind the {room} of {place}"),
        _split("{e} is {n} {v}. | {v}. | It is {n} {v}."),
    ),
    Family(
        _split(
            """Where does {e} {n}? | In which place does {e} {n}? | Tell me where {e} {n}s. |
            What place does {e} {n} in? | Do you know where {e} {n}s? | Where would I see {e} {n}? |
            At which place does {e} {n}?"""
        ),
        _split("live/stay | sleep/rest | work/operate | come from/stem from | grow | hide | stop/halt | meet/gather"),
        _split("in {place} | near the {quality} {room} | under {quality} {stuff} | on the {room} of {place}"),
        _split("{e} {n}s {v}. | {v}. | It is {v}."),
    ),
    Family(
        _split(
            """When was {e} {n}? | In what year was {e} {n}? | What year was {e} {n}? | Since when is {e} {n}? |
            Which year was {e} {n} in? | Tell me when {e} was {n}. | Do you know when {e} was {n}? |
            What is the date {e} was {n}? | On what date was {e} {n}? | How long ago was {e} {n}?"""
        ),
        _split(
            """founded/created/established/started | built/made/finished | opened |
            released/launched/published | discovered/found | closed/shut | repaired/renewed | sold/bought |
            invented/designed | born | named"""
        ),
        _split("in {year} | {year} | in {month} {year} | on {month} {day}, {year} | early in {year}"),
        _split("{e} was {n} {v}. | {v}. | It was {n} {v}."),
    ),
    Family(
        _split(
            """When does {e} {n}? | At what time does {e} {n}? | What time does {e} {n}? |
            Tell me when {e} {n}s. | On which day does {e} {n}? | Do you know when {e} {n}s? |
            At which time can {e} {n}? | When will {e} {n}? | What is the time at which {e} {n}s?"""
        ),
        _split("open/start/begin | close/end/finish | arrive/come | leave/depart/go | run/operate | sleep/rest | meet"),
        _split("at {digit} in the {daytime} | on {weekday} | at {hour} | every {weekday} at {hour} | in {month}"),
        _split("{e} {n}s {v}. | {v}. | It is {v}."),
    ),
    Family(
        _split(
            """How often do I {n} {e}? | How often must {e} be looked at to {n} it? |
            How many times do I {n} {e}? | How frequently should I {n} {e}? | When do I have to {n} {e}? |
            Every how many days do I {n} {e}? | What is the schedule to {n} {e}? |
            Tell me how often to {n} {e}."""
        ),
        _split("clean/wash | charge/recharge | feed | check/inspect | update | oil/grease | repair/service | water"),
        _split(
            "every {digit} {period}s | {count} a {period} | once a {period} | every {weekday} | after {number} uses"
        ),
        _split("{v}. | You {n} {e} {v}. | {n} it {v}."),
    ),
    Family(
        _split(
            """How many {n} does {e} have? | What is the number of {n} of {e}? | How many {n} are in {e}? |
            Tell me how many {n} {e} has. | Do you know the number of {n} in {e}? | {e} has how many {n}? |
            What number of {n} does {e} have? | How many {n} can be found in {e}? | Count the {n} of {e}."""
        ),
        _split(
            """rooms | pages | wheels | legs/feet | members/people | doors/gates | buttons/keys | lamps/lights |
            seats/places | windows | floors/levels | eggs/young | workers/employees | players | colors |
            parts/pieces"""
        ),
        _split("{number} | {digit} | {number} | {digit} {quality} ones | about {number}"),
        _split("{e} has {v} {n}. | {v}. | It has {v} {n}. | There are {v} {n}."),
    ),
    Family(
        _split(
            """Why was {e} {n}? | For what reason was {e} {n}? | What is the reason {e} was {n}? |
            How come {e} was {n}? | What was the reason for {e} being {n}? | Tell me why {e} was {n}. |
            What led to {e} being {n}? | Do you know why {e} was {n}? |
            What is the explanation for why {e} was {n}?"""
        ),
        _split(
            "built/made/created/invented | closed/shut/stopped | moved | renamed | sold | stopped | painted | hidden"
        ),
        _split(
            """to save {stuff} | because the {part} was {quality} | to help the {group} of {place} |
            because {person} asked for it | because of the {quality} {season} |
            because {stuff} was too {quality}"""
        ),
        _split("{v}. | {e} was {n} {v}. | It was {n} {v}."),
    ),
    Family(
        _split(
            """What does {e} {n}? | What is it that {e} {n}s? | Tell me what {e} {n}s. |
            Do you know what {e} {n}s? | What kind of thing does {e} {n}? | What things does {e} {n}? |
            Which things does {e} {n}?"""
        ),
        _split(
            """eat/feed on | make/produce/create | sell/offer | need/require/call for | measure/record/log |
            teach | collect/gather | carry/hold/transport | like/love/enjoy | fear | show/display | do |
            use/run on | contain"""
        ),
        _split(
            """{quality} {stuff} | {stuff} and {stuff} | {thing}s | {quality} {thing}s and {stuff} |
            {number} {thing}s | {stuff} from {place} | the {part} of the {thing}"""
        ),
        _split("{e} {n}s {v}. | {v}. | It {n}s {v}."),
    ),
    Family(
        _split(
            """Can I {n} {e}? | May I {n} {e}? | Is it possible to {n} {e}? | Am I allowed to {n} {e}? |
            Is it okay to {n} {e}? | Is it safe to {n} {e}? | Can somebody {n} {e}? |
            Is there a way to {n} {e}? | Do they let me {n} {e}? | Would it be all right to {n} {e}?"""
        ),
        _split(
            """touch | eat/taste | visit/go to | wash/clean | use at night/run at night |
            take outside/use outdoors | copy/share | borrow/rent | sell | change/modify | open |
            return/give back | photograph | paint"""
        ),
        _split(
            """yes, but only {daypart} | no, the {part} is too {quality} | yes, with {quality} {stuff} |
            no, only {person} can | yes, up to {number} {unit} | no, never | yes, after {hour} |
            only with {thing}s"""
        ),
        _split("{v}. | {v}."),
    ),
    Family(
        _split(
            """What does the {n} of {e} mean? | What does it mean when the {n} of {e} comes on? |
            What is the {n} of {e} for? | What is the meaning of the {n} of {e}? |
            Why does {e} show the {n}? | Tell me what the {n} of {e} means. | Explain the {n} of {e}. |
            What do I learn from the {n} of {e}? | What does the {n} on {e} tell me?"""
        ),
        _split(
            """red light/red lamp | green light/green lamp | blue light | beep/sound/noise | flag |
            blinking/flashing | third button | small wheel | error code | yellow sign | bell | star |
            second line"""
        ),
        _split(
            """the {part} is {quality} | {stuff} is low | the {part} is {quality} and {stuff} is needed |
            it is time to {verb} the {part} | {person} is near | the {quality} {thing} is ready"""
        ),
        _split("it means that {v}. | {v}. | The {n} means that {v}."),
    ),
    Family(
        _split(
            """What do I do if {e} {n}? | What should I do when {e} {n}? | {e} {n}. What now? |
            {e} {n}, what can I do? | What helps if {e} {n}? | My {e} {n}, help me. |
            What is to be done when {e} {n}? | What happens if {e} {n}? | How do I react if {e} {n}? |
            Who do I call or what do I do if {e} {n}?"""
        ),
        _split(
            """breaks/fails/does not work/stops working | gets wet/falls into water | gets hot/overheats |
            is lost/is missing | is late | makes noise/is loud | is full | is empty/runs out |
            freezes/hangs/gets stuck | smells/stinks"""
        ),
        _split(
            """{verb} the {part} | {verb} the {part} and call {person} | wait {digit} {time} | add {stuff} |
            {verb} the {quality} {part} {count} | write to {person} in {place} |
            {verb} it in {quality} {stuff}"""
        ),
        _split("{v}. | {v}. | You {v}."),
    ),
    Family(
        _split(
            """How long does {e} {n}? | For how long does {e} {n}? | What is the time that {e} {n}s? |
            How much time does {e} {n}? | Tell me how long {e} {n}s. | How many hours does {e} {n}? |
            Do you know how long {e} {n}s?"""
        ),
        _split("last/run | live/survive | sleep/rest | take/need | stay open | wait | grow"),
        _split("{number} {time} | {digit} {time} | {digit} to {number} {time} | {number} {time} in {season}"),
        _split("{e} {n}s {v}. | {v}. | It {n}s {v}."),
    ),
)

WORDS = {
    "unit": _split(
        "grams|kilograms|meters|feet|miles|liters|watts|volts|degrees|hours|days|years|percent|points|inches"
    ),
    "money": _split("dollars|coins|euros|pounds|francs|crowns|credits|silver pieces|marks|shells"),
    "period": _split("day|week|month|year|hour|season"),
    "time": _split("seconds|minutes|hours|days|weeks|months"),
    "count": _split("once|twice|three times|four times|five times|ten times"),
    "season": _split("spring|summer|autumn|winter|darkness|good weather|rain"),
    "month": _split("January|February|March|April|May|June|July|August|September|October|November|December"),
    "weekday": _split("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"),
    "daytime": _split("morning|afternoon|evening|night"),
    "daypart": _split("in the morning|at night|on Sunday|in summer|on weekdays|before noon|with a guide|in gloves"),
    "hour": _split("noon|midnight|six o'clock|half past nine|7:30|18:00|sunrise|sunset|ten past four|8:15"),
    "quality": _split(
        """red | blue | green | yellow | black | white | silver | golden | brown | purple | small | large |
        long | short | round | flat | soft | hard | warm | cold | hot | dry | wet | sweet | sour | bitter |
        salty | clean | dirty | old | new | quiet | loud | heavy | light | sharp | smooth | rough | thin |
        thick | fast | slow | open | empty | full | weak | strong | wooden | glass | copper | paper | stone |
        iron | fresh | frozen | bright | dark | left | right"""
    ),
    "part": _split(
        """lid | cover | button | lever | handle | wheel | door | lamp | screen | filter | cable | battery |
        key | valve | switch | tank | drawer | panel | hose | belt | needle | dial | rope | box | spring |
        plate | pipe | sensor | motor | fan | knob | plug | seal | strap | bottom | top | side | front"""
    ),
    "verb": _split(
        """press | push | pull | turn | hold | open | close | lift | shake | clean | replace | remove | dry |
        heat | cool | rub | tap | loosen | tighten | oil | rinse | fold | check | pour | slide | twist |
        unplug | cover | raise | lower"""
    ),
    "stuff": _split(
        """water | salt | sand | oil | milk | honey | bread | rice | sugar | wool | silk | steel | wood | coal |
        paper | ink | wax | clay | glass | gold | tea | coffee | soap | vinegar | ice | snow | grass |
        seeds | leaves | dust | smoke | steam | light | heat | wind | power | time | money | data | fruit"""
    ),
    "thing": _split(
        """lamp | book | clock | boat | stone | bell | tree | rope | coin | map | bird | fish | horse | key |
        cup | flag | drum | chair | shoe | knife | letter | ticket | bottle | apple | candle | mirror |
        ring | basket | wheel | feather | button | rose | wolf | bear | star | crown | sensor | report"""
    ),
    "room": _split(
        "hall|garden|kitchen|cellar|tower|harbor|library|yard|station|market|bridge|mill|office|barn|gate|forest"
    ),
    "group": _split(
        "children|farmers|sailors|students|doctors|workers|teachers|guests|drivers|old people|council|guild"
    ),
    "title": _split("Doctor|Captain|Professor|Mayor|Queen|King|Sister|Judge|Master|Aunt|Uncle|General"),
    "first": _split(
        """Ada | Ben | Clara | Dora | Elias | Fred | Greta | Hugo | Ida | Jonas | Karl | Lena | Marta | Nils |
        Olga | Paul | Rosa | Sven | Tom | Ursula | Vera | Walter | Anna | Boris | Carlos | Diego | Emma |
        Fatima | Grace | Henry | Irene | James | Kofi | Laura | Maria | Nina | Omar | Petra | Ravi | Sara"""
    ),
    "second": _split(
        """Hill | Brook | Cole | Finch | Marsh | Wood | Stone | Lake | Field | Moss | Reed | Vale | North |
        West | Berg | Holm | Castro | Petrov | Okafor | Joshi | Tanaka | Silva | Costa | Meyer | Novak |
        Rossi | Khan | Park | Weber | Larsen | Baker | Carter | Fisher | Miller | Potter | Taylor"""
    ),
    "landscape": _split("Harbor|Bay|Hill|Falls|Bridge|Valley|Field|Point|Island|Creek|Wood|Springs"),
}

KINDS = _split(
    """machine | device | tool | robot | engine | lamp | clock | boat | ship | car | bicycle | camera | phone |
    printer | radio | pump | oven | telescope | app | program | library | game | service | server | website |
    language | database | village | town | island | river | mountain | forest | lake | country | castle |
    museum | inn | school | market | bridge | garden | animal | bird | fish | insect | plant | tree |
    flower | fruit | dish | drink | bread | cheese | medicine | company | club | team | bank | foundation |
    guild | festival | race | concert | meeting | course | book | song | film | painting | festival |
    project | plan | law | method | treaty | temple | train | farm | shop | factory | hospital | park |
    tower | road"""
)

OPENERS = _split(
    """Please tell me: | Quick question: | I forgot: | Hello! | Hi, | One question: | Excuse me, | Sorry, |
    By the way, | Now tell me, | Just wondering: | Question: | Hey, | Good morning!"""
)

ONSETS = _split(
    "b|bl|br|c|ch|cl|cr|d|dr|f|fl|fr|g|gl|gr|h|j|k|kl|kr|l|m|n|p|pl|pr|qu|r|s|sh|sk|sl|st|str|t|th|tr|v|w|y|z"
)
VOWELS = _split("a|e|i|o|u|aa|ai|au|ea|ee|ei|ia|ie|io|oa|oo|ou|ue")
CODAS = _split("|||b|ck|d|g|l|ll|m|n|nd|ng|nt|p|r|rd|rn|s|st|t|th|x")
