<?xml version="1.0" encoding="UTF-8"?>
<!-- A WS/T 500 document as a page for people. Only text is taken from the document, and every text is escaped: no
     element, attribute, link or style of it reaches the page. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:v3="urn:hl7-org:v3"
                xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" exclude-result-prefixes="v3 xsi">
  <xsl:output method="html" encoding="UTF-8" indent="no"/>
  <xsl:variable name="document" select="/v3:ClinicalDocument"/>
  <xsl:variable name="role" select="$document/v3:recordTarget/v3:patientRole"/>

  <xsl:template match="/v3:ClinicalDocument">
    <html lang="zh-CN">
      <head>
        <meta charset="UTF-8"/>
        <title><xsl:value-of select="normalize-space(v3:title)"/></title>
        <style>
          body { font-family: "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", sans-serif; margin: 1.5em auto; max-width: 60em; line-height: 1.6; color: #222 }
          h1 { font-size: 1.4em; text-align: center } h2 { font-size: 1.1em; border-bottom: 1px solid #ccc }
          dl { display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: .2em 1em } dt { color: #666 } dd { margin: 0 }
          table { border-collapse: collapse } th, td { border: 1px solid #ccc; padding: .2em .6em; text-align: left }
          .replaced { background: #fff3cd; padding: .4em .8em } p { white-space: pre-wrap; margin: .3em 0 }
        </style>
      </head>
      <body>
        <h1><xsl:value-of select="normalize-space(v3:title)"/></h1>
        <xsl:if test="normalize-space(v3:relatedDocument[@typeCode='RPLC']/v3:parentDocument/v3:id/@extension)">
          <p class="replaced">第 <xsl:value-of select="v3:versionNumber/@value"/> 版，替换文档 <xsl:value-of select="v3:relatedDocument/v3:parentDocument/v3:id/@extension"/></p>
        </xsl:if>
        <dl>
          <xsl:call-template name="fact"><xsl:with-param name="name">姓名</xsl:with-param><xsl:with-param name="value" select="$role/v3:patient/v3:name"/></xsl:call-template>
          <xsl:call-template name="fact">
            <xsl:with-param name="name">性别</xsl:with-param>
            <xsl:with-param name="value">
              <xsl:variable name="sex" select="$role/v3:patient/v3:administrativeGenderCode"/>
              <xsl:choose>
                <xsl:when test="normalize-space($sex/@displayName)"><xsl:value-of select="$sex/@displayName"/></xsl:when>
                <xsl:when test="$sex/@code='1'">男性</xsl:when><xsl:when test="$sex/@code='2'">女性</xsl:when>
                <xsl:otherwise><xsl:value-of select="$sex/@code"/></xsl:otherwise>
              </xsl:choose>
            </xsl:with-param>
          </xsl:call-template>
          <xsl:call-template name="time"><xsl:with-param name="name">出生日期</xsl:with-param><xsl:with-param name="value" select="$role/v3:patient/v3:birthTime/@value"/></xsl:call-template>
          <xsl:call-template name="fact"><xsl:with-param name="name">院内编号</xsl:with-param><xsl:with-param name="value" select="$role/v3:id[not(starts-with(@root, '2.16.156.10011.'))]/@extension"/></xsl:call-template>
          <xsl:call-template name="fact"><xsl:with-param name="name">门(急)诊号</xsl:with-param><xsl:with-param name="value" select="$role/v3:id[@root='2.16.156.10011.1.11']/@extension"/></xsl:call-template>
          <xsl:call-template name="fact"><xsl:with-param name="name">住院号</xsl:with-param><xsl:with-param name="value" select="$role/v3:id[@root='2.16.156.10011.1.12']/@extension"/></xsl:call-template>
          <xsl:call-template name="fact"><xsl:with-param name="name">科室</xsl:with-param><xsl:with-param name="value" select="(v3:componentOf//v3:wholeOrganization | $role/v3:providerOrganization)[v3:id/@root='2.16.156.10011.1.26']/v3:name"/></xsl:call-template>
          <xsl:call-template name="fact"><xsl:with-param name="name">作者</xsl:with-param><xsl:with-param name="value" select="v3:author[1]/v3:assignedAuthor/v3:assignedPerson/v3:name"/></xsl:call-template>
          <xsl:call-template name="fact"><xsl:with-param name="name">机构</xsl:with-param><xsl:with-param name="value" select="v3:custodian//v3:representedCustodianOrganization/v3:name"/></xsl:call-template>
          <xsl:call-template name="time"><xsl:with-param name="name">生成时间</xsl:with-param><xsl:with-param name="value" select="v3:effectiveTime/@value"/></xsl:call-template>
          <xsl:call-template name="fact"><xsl:with-param name="name">文档编号</xsl:with-param><xsl:with-param name="value" select="v3:id/@extension"/></xsl:call-template>
        </dl>
        <xsl:apply-templates select="v3:component/v3:structuredBody/v3:component/v3:section"/>
      </body>
    </html>
  </xsl:template>

  <xsl:template match="v3:section">
    <section>
      <h2>
        <xsl:choose>
          <xsl:when test="normalize-space(v3:title)"><xsl:value-of select="normalize-space(v3:title)"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="v3:code/@displayName"/></xsl:otherwise>
        </xsl:choose>
      </h2>
      <xsl:choose>
        <xsl:when test="normalize-space(v3:text)"><xsl:apply-templates select="v3:text" mode="narrative"/></xsl:when>
        <xsl:otherwise><xsl:apply-templates select="v3:entry" mode="said"/></xsl:otherwise>
      </xsl:choose>
      <xsl:apply-templates select="v3:component/v3:section"/>
    </section>
  </xsl:template>

  <!-- The narrative: its paragraphs, lists and tables by name; anything else by its text alone. -->
  <xsl:template match="v3:text" mode="narrative"><div><xsl:apply-templates mode="narrative"/></div></xsl:template>
  <xsl:template match="v3:paragraph" mode="narrative"><p><xsl:apply-templates mode="narrative"/></p></xsl:template>
  <xsl:template match="v3:br" mode="narrative"><br/></xsl:template>
  <xsl:template match="v3:list" mode="narrative"><ul><xsl:apply-templates select="v3:item" mode="narrative"/></ul></xsl:template>
  <xsl:template match="v3:item" mode="narrative"><li><xsl:apply-templates mode="narrative"/></li></xsl:template>
  <xsl:template match="v3:table" mode="narrative"><table><xsl:apply-templates select=".//v3:tr" mode="narrative"/></table></xsl:template>
  <xsl:template match="v3:tr" mode="narrative"><tr><xsl:apply-templates select="v3:th | v3:td" mode="narrative"/></tr></xsl:template>
  <xsl:template match="v3:th" mode="narrative"><th><xsl:apply-templates mode="narrative"/></th></xsl:template>
  <xsl:template match="v3:td" mode="narrative"><td><xsl:apply-templates mode="narrative"/></td></xsl:template>
  <xsl:template match="text()" mode="narrative"><xsl:value-of select="."/></xsl:template>

  <!-- A section without narrative: what its entries say. -->
  <xsl:template match="v3:entry" mode="said">
    <xsl:for-each select=".//v3:observation[v3:value]">
      <p>
        <xsl:value-of select="v3:code/@displayName"/><xsl:text>：</xsl:text>
        <xsl:choose>
          <xsl:when test="normalize-space(v3:value/@displayName)"><xsl:value-of select="v3:value/@displayName"/></xsl:when>
          <xsl:when test="normalize-space(v3:value)"><xsl:value-of select="v3:value"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="v3:value/@value | v3:value/@code"/><xsl:text> </xsl:text><xsl:value-of select="v3:value/@unit"/></xsl:otherwise>
        </xsl:choose>
      </p>
    </xsl:for-each>
    <xsl:for-each select=".//v3:manufacturedLabeledDrug/v3:name | .//v3:procedure/v3:code/@displayName"><p><xsl:value-of select="."/></p></xsl:for-each>
  </xsl:template>

  <xsl:template name="fact">
    <xsl:param name="name"/><xsl:param name="value"/>
    <xsl:if test="normalize-space($value)"><dt><xsl:value-of select="$name"/></dt><dd><xsl:value-of select="normalize-space($value)"/></dd></xsl:if>
  </xsl:template>

  <xsl:template name="time">
    <xsl:param name="name"/><xsl:param name="value"/>
    <xsl:if test="string-length($value) &gt;= 8">
      <dt><xsl:value-of select="$name"/></dt>
      <dd>
        <xsl:value-of select="concat(substring($value, 1, 4), '-', substring($value, 5, 2), '-', substring($value, 7, 2))"/>
        <xsl:variable name="clock" select="translate(substring($value, 9), 'T', '')"/>
        <xsl:if test="string-length($clock) &gt;= 4"><xsl:value-of select="concat(' ', substring($clock, 1, 2), ':', substring($clock, 3, 2))"/></xsl:if>
      </dd>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
