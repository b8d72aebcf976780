"""The most common English words: an entity that is one of them fires by accident, and its report says so.

Written from general knowledge of English (function words, everyday verbs, nouns, adjectives, number words); no corpus
was copied. Words that are also given names (mark, will, rose ...) are kept in: on a list, they are risky all the same.
"""

from __future__ import annotations

_WORDS = """
a able about above accept across act action add afraid after afternoon again against age ago agree ah ahead air all
allow almost alone along already alright also although always am among amount an and angry animal another answer any
anybody anymore anyone anything anyway anywhere apart appear apple are area arm army around arrive art as ask asleep
at ate attack attention aunt away baby back bad bag ball band bank bar base basic be bear beat beautiful became
because become bed been before began begin behind being believe bell below beside best better between beyond big bill
bird bit bite black blood blow blue board boat body bone book born both bottom bought bowl box boy bread break
breakfast bridge bright bring broke brother brought brown build building built burn bus business busy but buy by call
called calm came camp can can't cap captain car card care carry case cat catch caught cause center certain chair
chance change charge cheap check chief child children choice choose church circle city class clean clear climb clock
close clothes cloud club coat coffee cold college color come common company complete contain continue control cook
cool copy corn corner cost could couldn't count country couple course court cover cow crazy cream cross crowd cry cup
cut dad dance danger dark date daughter day days dead deal dear death decide deep deer degree did didn't die
difference different difficult dinner direct direction dirty do doctor does doesn't dog doing dollar don't done door
doubt down draw dream dress drink drive drop dry due during dust each ear early earth ease east easy eat edge egg
eight eighteen eighty either electric eleven else end enemy energy engine english enjoy enough enter equal escape even
evening ever every everybody everyone everything evil exact example except excuse expect explain eye eyes face fact
fair faith fall false family famous fan far farm fast fat father favor fear feel feeling feet fell felt few field
fifteen fifty fight figure fill film final find fine finger finish fire first fish fit five fix floor flow flower fly
follow food foot for force foreign forest forget form forty forward found four fourteen free fresh friend friends from
front fruit full fun funny further future game garden gas gate gather gave general gentleman get gets getting girl
give given glad glass go goes going gold gone gonna good got government grace grand grass gray great green grew ground
group grow guess guest gun guy guys had hair half hall hand hands hang happen happened happy hard has hat hate have
haven't having he he's head health hear heard heart heat heavy held hell hello help her here here's hers herself hey
hi high hill him himself his history hit hold hole holy home honest honey hope horse hospital hot hotel hour hours
house how however huge human hundred hungry hurry hurt husband i i'd i'll i'm i've ice idea if ill important in inch
include indeed inside instead interest into iron is island isn't issue it it's its itself jack job john join joke joy
jump june just keep kept key kick kid kids kill kind king kiss kitchen knew knife knock know known lady laid lake land
language large last late later laugh law lay lead learn least leave led left leg less let let's letter level lie life
light like line lip list listen little live lives lock long look looked looking lord lose lost lot lots loud love low
luck lunch machine mad made mail main make makes making man many map march mark market marry master match matter may
maybe me mean means meant measure meat meet meeting member memory men mention mercy met method middle might mile milk
million mind mine minute miss missus mistake mister modern mom moment monday money month months moon more morning most
mother motor mount mountain mouth move movie much music must my myself name narrow nation natural nature near neck
need neither never new news next nice night nine nineteen ninety no nobody noise none noon nor normal north nose not
note nothing notice now number o'clock object ocean of off offer office officer often oh oil ok okay old on once one
only open or orange order other others ought our ours out outside over own page paid pain paint pair pan paper parent
park part party pass past pay peace pen people perfect perhaps person phone pick picture piece place plain plan plane
plant play please plenty point police poor position possible post pot pound power prepare present president press
pretty price prince print prison private probably problem produce program promise proof protect prove public pull push
put queen question quick quiet quite race radio rain raise ran reach read ready real really reason receive record red
remain remember reply report rest result return rice rich ride right ring rise river road rock roll room root rope
rose rough round rule run running rush said sail salt same san sand sat save saw say saying says scene school science
score sea seat second secret see seem seems seen self sell send sense sent serious serve service set seven seventeen
seventy several shake shall shape share sharp she she's ship shirt shoe shoes shop short shot should shoulder shout
show shut sick side sight sign silent silver simple since sing single sir sister sit six sixteen sixty size skin sky
sleep slow small smell smile smoke snow so social soft sold soldier some somebody someone something sometimes son song
soon sorry sort soul sound south space speak special speech speed spend spent spirit spoke spot spring square stage
stand star start state station stay step stick still stone stood stop store storm story straight strange street strong
student study stuff such sudden suddenly sugar summer sun sunday supper suppose sure surprise sweet swim system table
take taken taking talk talking tall taste tea teach teacher team tell ten term test than thank thanks that that's the
their them themselves then there there's these they they're thick thin thing things think third thirteen thirty this
those though thought thousand three threw through throw thus tie till time times tired to today together told tomorrow
tonight too took top touch toward town train travel tree trip trouble true trust truth try trying turn twelve twenty
twice two type uncle under understand unless until up upon us use used usual valley value very view village visit
voice wait walk wall want wanted wants war warm was wash wasn't watch water wave way we we'll we're we've weak wear
weather week weeks weight welcome well went were west wet what what's whatever wheel when where whether which while
white who who's whole whom whose why wide wife wild will win wind window wine winter wise wish with within without
woman women won won't wonder wonderful wood word words work worked working world worry worse worst worth would
wouldn't write wrong wrote yeah year years yellow yes yesterday yet you you'll you're you've young your yours yourself
zero
"""
COMMON_WORDS: frozenset[str] = frozenset(_WORDS.split())
