"""The function in the language of MATLAB and GNU Octave that samples from an exported MAT-file."""

from __future__ import annotations

import re

from recurra.errors import UsageError

# Characters are code points throughout: a char of MATLAB is half of one beyond U+FFFF, one of Octave is a byte.
SCRIPT = """\
function [text, log_p] = {function}(n, prompt, temperature)
% {upper}  Text that the network in {shown} writes.
%   {function}                        prints 200 characters
%   {function}(n, prompt)             n characters after a prompt
%   {function}(n, prompt, 0.7)        at a temperature: less than 1 is safer
%   [text, log_p] = {function}(...)   the text, and ln p of every character of it
%   [~, log_p] = {function}(0, prompt)   ln p of each character of the prompt but
%                                     the first, by the network: n = 0 scores
% A network of lines begins each with h = 0 and a newline, and scores the first character too.
% A prompt is text or code points. rand('seed', 1) or rng(1) first: the same text again.
  if nargin < 1, n = 200; end
  if nargin < 2, prompt = ''; end
  if nargin < 3, temperature = 1; end
  here = fileparts(mfilename('fullpath'));
  data = load(fullfile(here, {file}));
  RNN = data.RNN;
  points = data.code_points(:);
  ids = ids_of(prompt, points, data.is_bytes);
  if isempty(ids) || n > 0 || data.documents
    ids = [start_of(points); ids];
  end
  h = zeros(size(RNN.W, 1), 1);
  read = numel(ids);
  log_p = zeros(read + n - 1, 1);
  for t = 1:read + n - 1
    if data.documents && points(ids(t)) == 10, h(:) = 0; end
    {update}
    o = RNN.V * h + RNN.c;
    o = o - max(o);
    if t >= read
      p = exp(o / temperature);
      ids(t + 1, 1) = min(find(cumsum(p) > rand * sum(p), 1));
    end
    log_p(t) = o(ids(t + 1)) - log(sum(exp(o)));
  end
  if n > 0, log_p = log_p(read:end); end
  text = '';
  if n > 0
    text = native2unicode(bytes_of(points(ids(read + 1:end)), data.is_bytes), 'UTF-8');
  end
  if nargout == 0
    if n > 0, fprintf('%s\\n', text); else, fprintf('%.9g\\n', log_p); end
    clear text log_p
  end
end

function id = start_of(points)
% What is read before a text: a newline, or the first symbol.
  id = find(points == 10, 1);
  if isempty(id), id = 1; end
end

function ids = ids_of(prompt, points, is_bytes)
% The ids of a prompt's characters; those that the network does not know are left out.
  if ischar(prompt)
    prompt = double(unicode2native(prompt, 'UTF-8'));
    if ~is_bytes, prompt = code_points_of(prompt); end
  end
  [known, ids] = ismember(prompt(:), points);
  if ~all(known), warning('the network does not know %d of the characters', sum(~known)); end
  ids = ids(known);
end

function points = code_points_of(bytes)
% UTF-8 read: what follows a first byte has 10 as its highest bits.
  bytes = bytes(:);
  first = find(bytes < 128 | bytes >= 192);
  points = bytes(first);
  points(points >= 240) = points(points >= 240) - 240;
  points(points >= 224) = points(points >= 224) - 224;
  points(points >= 192) = points(points >= 192) - 192;
  ends = [first(2:end) - 1; numel(bytes)];
  for k = 1:3
    more = first + k <= ends;
    points(more) = points(more) * 64 + bytes(first(more) + k) - 128;
  end
end

function bytes = bytes_of(points, is_bytes)
% UTF-8 written.
  bytes = uint8([]);
  for point = points(:)'
    if is_bytes || point < 128
      new = point;
    elseif point < 2048
      new = [192 + floor(point / 64), 128 + mod(point, 64)];
    elseif point < 65536
      new = [224 + floor(point / 4096), 128 + mod(floor(point ./ [64, 1]), 64)];
    else
      new = [240 + floor(point / 262144), 128 + mod(floor(point ./ [4096, 64, 1]), 64)];
    end
    bytes = [bytes, uint8(new)]; %#ok<AGROW>
  end
end
"""
MAX_FUNCTION_NAME_CHARACTERS = 50  # of a function's name; MATLAB allows 63


def function_name(stem: str) -> str:
    """The function's name for a MAT-file of that `stem`: a letter, then letters, digits and underscores."""
    return "sample_" + re.sub(r"[^A-Za-z0-9_]", "_", stem)[:MAX_FUNCTION_NAME_CHARACTERS]


def script(file: str, update: str) -> bytes:
    """Return the function for the MAT-file of that name; `update` is the line that computes the new h.

    Raises UsageError if the name cannot stand in a line of text.
    """
    if not file.isprintable():
        raise UsageError(f"a MAT-file's name must be printable; got {file!r:.80}.", hint="give another `-o`.")
    quoted = "'" + file.replace("'", "''") + "'"
    function = function_name(file.rpartition(".")[0])
    words = {"function": function, "upper": function.upper(), "shown": file, "file": quoted, "update": update}
    return re.sub(r"\{(\w+)\}", lambda match: words[match[1]], SCRIPT).encode()
