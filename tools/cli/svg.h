// SPDX-License-Identifier: Apache-2.0
// A picture as one self-contained SVG file: shapes are appended, text is escaped, colours follow light and dark.
//
//   in:  shapes in pixels, each with a class of kStyle (svg.cpp) and, where said, a title: the text a pointer shows
//   out: the file's text; nothing in it is loaded from elsewhere
//   Coordinates are printed with one digit behind the point, whatever the locale.
#pragma once

#include <string>

#include "tools/cli/output_file.h"

namespace cli {

// For XML: & < > " ' by name; control characters and what is no UTF-8 as U+FFFD. At most `most` characters, then "...".
std::string xml_text(const std::string& text, size_t most = 400);

class Svg {
 public:
  void rect(double x, double y, double width, double height, const char* kind, const std::string& title = "");
  // opacity: how much of the fill is seen, 0 to 1.
  void shade(double x, double y, double width, double height, double opacity, const std::string& title);
  void circle(double x, double y, double radius, const char* kind, const std::string& title = "");
  void line(double x1, double y1, double x2, double y2, const char* kind);
  void text(double x, double y, const char* kind, const std::string& text);
  // In lines, broken at spaces where there are some, at most four; the answer is where the next line stands.
  double heading(const std::string& text);
  // Shapes until end_clip are seen inside the box alone.
  void begin_clip(const std::string& id, double x, double y, double width, double height);
  void end_clip();
  // A row of strokes with a word below its middle: |---- word ----|
  void bracket(double x1, double x2, double y, const std::string& word);

  // title: for screen readers and the window's title; extent: the picture's size.
  std::string finish(double width, double height, const std::string& title) const;

 private:
  std::string body_;
};

// Whole or not at all (output_file.h).
void write_picture(OutputFile& file, const std::string& text);

}  // namespace cli
