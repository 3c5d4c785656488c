"""The function in the language of MATLAB and GNU Octave that samples from an exported MAT-file."""

from __future__ import annotations

import re

from recurra.errors import UsageError

# The script represents characters as code points: a MATLAB char is a UTF-16 unit, an Octave char is a byte.
SCRIPT = """\
function [text, log_p] = {function}(n, prompt, temperature)
% {upper}  Generate text with the recurrent network in {file_name}.
%
%   {function}                        Print 200 characters.
%   {function}(n, prompt)             Generate n characters after a prompt.
%   {function}(n, prompt, 0.7)        Set the temperature; below 1, likely characters become likelier.
%   [text, log_p] = {function}(...)   Return the text, and ln p of each character.
%   [~, log_p] = {function}(0, prompt)   Score a text: ln p of each character but the first.
%
% The prompt is text or an array of code points.
% If data.documents is 1, the network starts each line with h = 0 and a newline, and scores its first character too.
% To repeat a text, call rand('seed', 1) in Octave or rng(1) in MATLAB first.
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
% Return the id that the network reads before a text: a newline, or the first symbol.
  id = find(points == 10, 1);
  if isempty(id), id = 1; end
end

function ids = ids_of(prompt, points, is_bytes)
% Return the ids of a prompt's characters without the characters outside the network's vocabulary.
  if ischar(prompt)
    prompt = double(unicode2native(prompt, 'UTF-8'));
    if ~is_bytes, prompt = code_points_of(prompt); end
  end
  [known, ids] = ismember(prompt(:), points);
  if ~all(known)
    warning('the vocabulary of the network lacks %d characters of the prompt; they are omitted', sum(~known));
  end
  ids = ids(known);
end

function points = code_points_of(bytes)
% Decode UTF-8: every byte of a character but the first has the highest bits 10.
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
% Encode code points as UTF-8.
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
MAX_STEM_CHARACTERS = 50  # of the MAT-file's stem in the function's name; MATLAB allows names of 63 characters


def function_name(stem: str) -> str:
    """Return the name of the function for a MAT-file with this stem, in letters, digits and underscores."""
    return "sample_" + re.sub(r"[^A-Za-z0-9_]", "_", stem)[:MAX_STEM_CHARACTERS]


def script(file: str, update: str) -> bytes:
    """Return the function for the MAT-file named `file`; `update` is the line of MATLAB that computes the new h.

    Raises: UsageError if the name has a control character.
    """
    if not file.isprintable():
        raise UsageError(f"a MAT-file's name must be printable; got {file!r:.80}.", hint="give another name with `-o`.")
    quoted = "'" + file.replace("'", "''") + "'"
    function = function_name(file.rpartition(".")[0])
    words = {"function": function, "upper": function.upper(), "file_name": file, "file": quoted, "update": update}
    return re.sub(r"\{(\w+)\}", lambda match: words[match[1]], SCRIPT).encode()
