// SPDX-License-Identifier: Apache-2.0
// See svg.h. Plain class selectors alone, so that converters which know no CSS variables draw it too.
#include "tools/cli/svg.h"

#include <fmt/format.h>

#include <cmath>

namespace cli {
namespace {

// t0 to t7: the taps, and the bars of the bench. Each is legible on white and on near black.
constexpr const char* kStyle = R"(<style>
svg{color-scheme:light dark}
.bg{fill:#ffffff} text{fill:#1b1f24} .m{text-anchor:middle} .e{text-anchor:end} .h{font-size:16px;font-weight:bold}
.s{font-size:11px} .sm{font-size:11px;text-anchor:middle} .se{font-size:11px;text-anchor:end} .q{fill:#66707a}
.qm{fill:#66707a;font-size:11px;text-anchor:middle} .qs{fill:#66707a;font-size:11px} .x{fill:#2b6cb0} .y{fill:#1b1f24}
.cut{fill:none;stroke:#9aa4ae;stroke-width:1.5;stroke-dasharray:2 2} .zero{fill:none;stroke:#9aa4ae;stroke-width:1.5}
.slot{fill:#c4ccd4} .cell{stroke:#9aa4ae;stroke-width:.5;fill:#2b6cb0} .frame{stroke:#9aa4ae} .none{stroke:#d9363e}
.lost{stroke:#c4ccd4} .roof{stroke:#d9363e;stroke-width:2} line{stroke-width:1.3} .bar{fill:#2b6cb0}
line.t0{stroke:#4477dd} line.t1{stroke:#e07b00} line.t2{stroke:#2a9d4a} line.t3{stroke:#d9363e}
line.t4{stroke:#9b5fd0} line.t5{stroke:#a8742a} line.t6{stroke:#d94f9e} line.t7{stroke:#1a9fb0}
.t0{fill:#4477dd} .t1{fill:#e07b00} .t2{fill:#2a9d4a} .t3{fill:#d9363e} .t4{fill:#9b5fd0} .t5{fill:#a8742a}
.t6{fill:#d94f9e} .t7{fill:#1a9fb0}
@media (prefers-color-scheme:dark){
.bg{fill:#14171a} text{fill:#e4e8ec} .q,.qm,.qs{fill:#9aa4ae} .x{fill:#63a4e8} .y{fill:#e4e8ec} .slot{fill:#4a525a}
.cell{fill:#63a4e8;stroke:#66707a} .lost{stroke:#4a525a} .cut,.zero{stroke:#7a848e} .frame{stroke:#66707a}
}
</style>
)";

std::string number(double v) {
  std::string text = fmt::format("{:.1f}", v);
  if (text.size() > 2 && text.compare(text.size() - 2, 2, ".0") == 0) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

// The bytes of the well-formed UTF-8 character at `at`, 0 where there is none or XML takes it not.
size_t character_at(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (size_t i = 1; i < bytes; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const unsigned second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;  // overlong, a surrogate
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  if (first == 0xEF && second == 0xBF && byte(2) >= 0xBE) return 0;  // U+FFFE, U+FFFF
  if (first == 0xC2 && second < 0xA0) return 0;                      // control characters
  return bytes;
}

std::string titled(const char* element, const std::string& title) {
  if (title.empty()) return "/>\n";
  return fmt::format("><title>{}</title></{}>\n", xml_text(title), element);
}

}  // namespace

std::string xml_text(const std::string& text, size_t most) {
  std::string out;
  size_t characters = 0;
  for (size_t at = 0; at < text.size(); ++characters) {
    if (characters == most) return out + "...";
    const size_t bytes = character_at(text, at);
    const std::string c = bytes == 0 ? "\xEF\xBF\xBD" : text.substr(at, bytes);
    at += bytes == 0 ? 1 : bytes;
    if (c == "&")
      out += "&amp;";
    else if (c == "<")
      out += "&lt;";
    else if (c == ">")
      out += "&gt;";
    else if (c == "\"")
      out += "&quot;";
    else if (c == "'")
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

void Svg::rect(double x, double y, double width, double height, const char* kind, const std::string& title) {
  body_ += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}", kind, number(x), number(y),
                       number(width), number(height), titled("rect", title));
}

void Svg::shade(double x, double y, double width, double height, double opacity, const std::string& title) {
  body_ += fmt::format("<rect class=\"cell\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill-opacity=\"{:.2f}\"{}",
                       number(x), number(y), number(width), number(height), opacity, titled("rect", title));
}

void Svg::circle(double x, double y, double radius, const char* kind, const std::string& title) {
  body_ += fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"{}", kind, number(x), number(y),
                       number(radius), titled("circle", title));
}

void Svg::line(double x1, double y1, double x2, double y2, const char* kind) {
  body_ += fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", kind, number(x1), number(y1),
                       number(x2), number(y2));
}

void Svg::text(double x, double y, const char* kind, const std::string& text) {
  body_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\">{}</text>\n", kind, number(x), number(y), xml_text(text));
}

double Svg::heading(const std::string& words) {
  constexpr size_t kLine = 100, kMostLines = 4;  // bytes of a line
  std::string rest = words;
  double y = 28;
  for (size_t lines = 1; rest.size() > kLine && lines < kMostLines; ++lines, y += 20) {
    const size_t space = rest.rfind(' ', kLine);
    if (space == std::string::npos || space == 0) break;
    text(10, y, "h", rest.substr(0, space));
    rest.erase(0, space + 1);
  }
  body_ += fmt::format("<text class=\"h\" x=\"10\" y=\"{}\">{}</text>\n", number(y), xml_text(rest, kLine));
  return y + 20;
}

void Svg::begin_clip(const std::string& id, double x, double y, double width, double height) {
  body_ += fmt::format(
      "<clipPath id=\"{0}\"><rect x=\"{1}\" y=\"{2}\" width=\"{3}\" height=\"{4}\"/></clipPath>\n<g "
      "clip-path=\"url(#{0})\">\n",
      id, number(x), number(y), number(width), number(height));
}

void Svg::end_clip() { body_ += "</g>\n"; }

void Svg::bracket(double x1, double x2, double y, const std::string& word) {
  line(x1, y, x2, y, "frame");
  line(x1, y - 4, x1, y + 4, "frame");
  line(x2, y - 4, x2, y + 4, "frame");
  text((x1 + x2) / 2, y + 15, "qm", word);
}

std::string Svg::finish(double width, double height, const std::string& title) const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{2}</title>\n{3}"
      "<rect class=\"bg\" x=\"0\" y=\"0\" width=\"{0}\" height=\"{1}\"/>\n{4}</svg>\n",
      number(width), number(height), xml_text(title), kStyle, body_);
}

void write_picture(OutputFile& file, const std::string& text) {
  file.open();
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace cli
