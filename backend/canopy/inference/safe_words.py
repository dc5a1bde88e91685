"""Lists words of model servers' error messages that are shown even where somebody's text contains them too.

They describe what is wrong with a request and say nothing about anybody. A word that is missing here is only masked,
and only if the text has it too; a word that could be somebody's private matter must not be listed.
"""

# Common words of any error message.
_COMMON = """
a about above absent accept accepted accepts access active after again all allow allowed allows already also an and
another any are as at available be because been before below between body both but by can cannot change check choose
client could default defined deprecated did different disabled do does doesn don each either empty enable enabled
enough equal every exceed exceeded exceeding exceeds expected extra failed failure fewer field fields for forbidden
format found from get given got greater had has have header headers how however if in include included incorrect
instead internal invalid is isn it its key keys larger least length less limit limited limits list long longer lower
make many maximum may maybe mean minimum missing more most must name need needed needs no none nor not nothing null
number object of off on once one only or other out over parameter parameters parse parsed parsing part path permitted
please plus possible property provide provided provides range reach reached read reason reduce refused reject rejected
remove removed request requested requests require required requires response retry route same see send sent set
shorter should size smaller some something strictly string such support supported supports than that the their them
then there these they this those through time to too try type under unexpected unknown unrecognized unsupported until
up url use used using valid validation value values version was we were when where whereas whether which while will
with within without would wrong yes you your
"""
# Terms of servers, models and requests.
_SERVERS = """
abort aborted api argument arguments array assistant authentication authorization backend backends bad batch blocked
boolean busy cache capacity certificate channel chat choice choices chunk cluster code completion completions
configuration connect connected connection connections container content context cpu credits cuda data database
deadline decode deployment device disconnect disconnected disk dtype encode encoding endpoint engine error errors
event events exception exhausted fatal filter filtered finish flagged float function gateway generate generated
generation gpu host http https index initialize input inputs int integer json kernel layer load loaded loading memory
message messages method middleware model models moderation module network node nvidia ogx openai output outputs
overflow overloaded page payload permission pod policy pool port process processing prompt prompts protocol provider
proxy queue quota rate region replica reset resource resources role roles running runtime schema server servers
service session shard shutdown shutting slot slots socket space spec speculative start started starting state status
stop stopped stream streaming streams system template tensor text thread throttled timed timeout token tokenizer
tokens tool tools torch traceback transport unauthorized unavailable upstream user utf validate validator vllm window
worker workers
"""
# Parameters and codes.
_NAMES = """
api_key content_filter context_length_exceeded frequency_penalty include_usage input_type input_value
insufficient_quota invalid_api_key invalid_request_error logprobs max_completion_tokens max_model_len max_new_tokens
max_output_tokens max_tokens model_not_found n presence_penalty rate_limit_exceeded response_format seed
stream_options temperature tool_choice top_k top_p unsupported_parameter
"""

SAFE_WORDS = frozenset(f"{_COMMON} {_SERVERS} {_NAMES}".split())
